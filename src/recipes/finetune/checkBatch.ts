/** `finetune --check`: whether the model can learn one batch by heart, and what is wrong where it cannot. */
import type { Feeds } from "../../engine/engine.ts";
import { IGNORE } from "../../nn/loss.ts";
import { trainedTensors } from "../../nn/param.ts";
import type { Lesson } from "../../tasks/task.ts";
import { type Overfit, overfit } from "../../train/overfit.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { loopOptions } from "../train/loopOptions.ts";
import { mostFrequentWidth } from "../train/lrTest.ts";
import { steppersOf } from "./lesson.ts";
import { type Prepared, prepare } from "./prepare.ts";

/** What the check found. */
export interface BatchCheck {
  readonly passed: boolean;
  readonly task: string;
  /** At the rate of the run, and where that failed at ten times it. */
  readonly tries: readonly Overfit[];
  /** Examples of the batch, and labels or tokens that count in it. */
  readonly batch: number;
  readonly counted: number;
  /** What it hints at, the likeliest first; none where it passed. */
  readonly hints: readonly string[];
}

/** Loss below which the untrained model knew the batch already. */
const LOW = 0.02;
/** Share of the numbers that train, below which little can be learnt by heart. */
const FEW = 0.001;

/** Places of two rows that read alike and are to be labelled otherwise; undefined where there are none. */
const contradiction = ({ inputIds, labels }: Feeds): readonly [number, number] | undefined => {
  const [rows, width] = inputIds!.shape as readonly [number, number];
  if (labels === undefined || labels.data.length % rows !== 0 || labels.data.length >= rows * width)
    return undefined;
  const per = labels.data.length / rows;
  const part = (t: NonNullable<Feeds[string]>, row: number, size: number) =>
    Array.from(t.data.slice(row * size, (row + 1) * size), Number).join();
  const seen = new Map<string, { readonly row: number; readonly label: string }>();
  for (let row = 0; row < rows; row++) {
    const label = part(labels, row, per);
    const known = seen.get(part(inputIds!, row, width));
    if (known !== undefined && known.label !== label) return [known.row, row];
    seen.set(part(inputIds!, row, width), { row, label });
  }
  return undefined;
};

/** How many numbers train, of how many. */
const shareTrained = ({ method: { model, frozen } }: Prepared): number => {
  let [trained, all] = [0, 0];
  for (const [path, { data }] of trainedTensors(model.weights)) {
    all += data.length;
    if (!frozen(path)) trained += data.length;
  }
  return trained / all;
};

/** What a failed check hints at. */
const hintsOf = (run: Prepared, batch: Feeds, tries: readonly Overfit[]): readonly string[] => {
  const [first, second] = tries as [Overfit, Overfit?];
  const clash = contradiction(batch);
  const share = shareTrained(run);
  const times = (lr: number) => `--lr ${Number(lr.toPrecision(2))}`;
  return [
    ...(first.gradNorm === 0
      ? ["no gradient reaches a weight: all labels are masked, or what would learn is frozen (--freeze)"]
      : []),
    ...(clash === undefined
      ? []
      : [`examples ${clash[0] + 1} and ${clash[1] + 1} of the batch read alike and have other labels`]),
    ...(second?.learnt
      ? [`ten times the learning rate learns it: try ${times(second.lr)}, or --find-lr`]
      : []),
    ...(!Number.isFinite(first.after) || first.after > 1.5 * first.before
      ? [`the loss rose: the learning rate ${first.lr} is too high; --find-lr finds one`]
      : []),
    ...(share < FEW
      ? [`${(100 * share).toPrecision(2)} % of the weights train: freeze less, or give --lora a higher rank`]
      : []),
    "look at the first example above: is what it is to say marked, and does the text say it?",
  ];
};

/** Batches among which one is chosen. */
const CHOICE = 20;

/** Tokens that are read and labels that count. A decoder's batch has no mask: its padding stands behind. */
const fullness = ({ attentionMask, labels }: Feeds): number => {
  const read = Array.from(attentionMask?.data ?? [], Number).reduce((a, b) => a + b, 0);
  return read + Array.from(labels?.data ?? [], Number).filter((label) => label !== IGNORE).length;
};

/** Of some batches the fullest: others may have rows of nothing. */
const fullest = async (source: Lesson["source"], count: number): Promise<Feeds> => {
  let [best, most] = [await source(0), -1];
  for (let i = 0; i < Math.min(CHOICE, count); i++) {
    const batch = await source(i);
    const full = fullness(batch);
    if (full > most) [best, most] = [batch, full];
  }
  return best;
};

/** Takes the check; nothing is written. Throws as `prepare`. */
export const checkBatch = async (ref: string, given: RunOptions, hooks: RecipeHooks): Promise<BatchCheck> => {
  // The loss of smoothed labels has a floor of its own, and micro-batches are one batch too many.
  const plain = {
    ...given,
    task: { ...given.task, labelSmoothing: 0 },
    train: { ...given.train, accumulate: 1, weightDecay: 0 },
  };
  const run = await prepare(ref, plain, hooks);
  const { engine, subject, method, lesson, options } = run;
  hooks.ui.line(`first example: ${subject.data.first}`);
  const { source, width, count } = await mostFrequentWidth(lesson);
  const batch = await fullest(source, count);
  const loop = { ...loopOptions(options.train, width.context, options.seed), ...width };
  const { shared: _, ...steppers } = steppersOf(options, lesson, run, {});
  const tries: Overfit[] = [];
  for (const factor of [1, 10]) {
    const { steps, ...how } = loop;
    const lr = options.train.lrPeak * factor;
    const task = hooks.ui.task(`one batch at a rate of ${lr}`, 200);
    const found = await overfit(engine, method.model, batch, {
      ...how,
      ...{ lr, objective: lesson.objective, frozen: method.frozen, ...steppers },
      optimizer: method.optimizer(loop.optimizer),
      ...(hooks.signal === undefined ? {} : { signal: hooks.signal }),
      onStep: (step, loss) => task.update(step, { loss: loss.toFixed(4) }),
    });
    task.done(`${found.steps} updates: loss ${found.before.toFixed(4)} -> ${found.after.toFixed(4)}`);
    tries.push(found);
    if (found.learnt || found.gradNorm === 0) break;
  }
  const [first] = tries as [Overfit];
  if (first.learnt && first.before < LOW) hooks.ui.warn("the model knew the batch before it was trained");
  return {
    passed: first.learnt,
    task: subject.task.name,
    tries,
    batch: options.train.batch,
    counted: first.counted,
    hints: first.learnt ? [] : hintsOf(run, batch, tries),
  };
};
