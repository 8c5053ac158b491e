/** The options of a trial: those of the sweep with its values, and what follows from these. */
import type { Values } from "../../search/space/space.ts";
import { checkOptions } from "../config/check.ts";
import type { RunOptions } from "../config/options.ts";

/** Held-out measurements in a trial of training; fine-tuning is measured at the end of each epoch. */
const MEASURED = 9;

const withValues = (base: RunOptions, values: Values): RunOptions => {
  const sections: Partial<Record<keyof RunOptions, object>> = {};
  for (const [field, value] of Object.entries(values)) {
    const [section, name] = field.split(".") as [keyof RunOptions, string];
    sections[section] = { ...(base[section] as object), ...sections[section], [name]: value };
  }
  return Object.assign({ ...base }, sections);
};

/** A run of as many updates as see as many tokens, with its warm-up and its last rate in the same shares. */
const fitted = ({ train: base }: RunOptions, { train }: RunOptions, values: Values): RunOptions["train"] => {
  const kept = (field: keyof RunOptions["train"]): boolean => values[`train.${field}`] !== undefined;
  const rows = (t: RunOptions["train"]): number => t.batch * t.accumulate;
  const steps =
    kept("steps") || base.steps === 0
      ? train.steps
      : Math.max(1, Math.round((base.steps * rows(base)) / rows(train)));
  const share = base.steps > 0 ? base.warmup / base.steps : 0;
  const warmup = kept("warmup") || base.steps === 0 ? train.warmup : Math.round(share * steps);
  const last = base.lrPeak > 0 ? base.lrMin / base.lrPeak : 0;
  const lrMin = kept("lrMin") ? train.lrMin : last * train.lrPeak;
  const evalEvery = steps > 0 ? Math.ceil(steps / MEASURED) : 0;
  return { ...train, steps, warmup, lrMin, evalEvery };
};

/** A width keeps the width of its heads, unless these are searched too. */
const headsOf = ({ model: base }: RunOptions, { model }: RunOptions, values: Values): number =>
  values["model.n_embd"] === undefined || values["model.n_head"] !== undefined
    ? model.n_head
    : Math.max(1, Math.round(model.n_embd / (base.n_embd / base.n_head)));

/**
 * The options of a trial in the folder `out`. A larger batch takes fewer updates, so that each trial of a run
 * whose updates are told sees as many tokens. Throws ConfigError for values that do not go together.
 */
export const trialOptions = (base: RunOptions, values: Values, out: string): RunOptions => {
  const given = withValues(base, values);
  return checkOptions({
    ...given,
    out,
    train: fitted(base, given, values),
    model: { ...given.model, n_head: headsOf(base, given, values) },
  });
};
