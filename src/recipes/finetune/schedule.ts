/** How long and how fast a model is tuned, where the options leave it to the data and the model. */
import type { Model } from "../../models/model.ts";
import type { Lesson, Task } from "../../tasks/task.ts";
import { ConfigError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";

/** Adapters learn at about ten times the rate of whole weights (https://thinkingmachines.ai/blog/lora/). */
const ADAPTERS = 10;

/**
 * The usual rate of a BERT 768 wide, by the width: narrower models take proportionally higher ones (Turc et
 * al. 2019, https://arxiv.org/abs/1908.08962, whose models 128 wide did best at 3e-4).
 */
const usualRate = ({ arch, config }: Model): number => {
  const { kvHeads, headWidth } = arch.cache(config);
  return Number(((5e-5 * 768) / (kvHeads * headWidth)).toPrecision(2));
};

/** Micro-batches of an epoch; what counts as one for data without an end. Throws ConfigError. */
const epochOf = ({ epoch }: Lesson): number => {
  if (epoch !== undefined) return epoch;
  throw new ConfigError("there are no epochs in running text", {
    field: "train.epochs",
    hint: "give --steps",
  });
};

/**
 * The options with the updates, the warm-up, the rate and the measurements that they leave open: as many
 * updates as the epochs take, measured and saved at the end of each.
 */
export const scheduled = (
  options: RunOptions,
  { model, task }: { readonly model: Model; readonly task: Task },
  lesson: Lesson,
): RunOptions => {
  const { train: t } = options;
  const perEpoch = lesson.epoch === undefined ? 0 : Math.ceil(lesson.epoch / t.accumulate);
  const steps = t.steps > 0 ? t.steps : Math.max(1, Math.round((epochOf(lesson) * t.epochs) / t.accumulate));
  const every = perEpoch > 0 ? Math.min(perEpoch, steps) : steps;
  const usual = usualRate(model) * (task.rate ?? 1) * (options.adapter.rank > 0 ? ADAPTERS : 1);
  const lrPeak = t.lrPeak > 0 ? t.lrPeak : Number(usual.toPrecision(2));
  const evalEvery = t.evalEvery > 0 ? t.evalEvery : every;
  return {
    ...options,
    train: {
      ...t,
      ...{ steps, lrPeak, lrMin: Math.min(t.lrMin, lrPeak), evalEvery },
      warmup: t.warmup > 0 ? t.warmup : Math.floor(steps * t.warmupShare),
      checkpointEvery: t.checkpointEvery > 0 ? t.checkpointEvery : every,
    },
  };
};
