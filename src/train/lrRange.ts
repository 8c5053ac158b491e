/**
 * The learning-rate range test (Smith 2015, https://arxiv.org/abs/1506.01186): a model is trained for some
 * updates while the rate rises exponentially, and the loss tells which rates teach and which are too high.
 */
import type { Engine, Feeds } from "../engine/engine.ts";
import type { Model } from "../models/model.ts";
import type { BatchSource } from "../tasks/task.ts";
import { ConfigError, RunError } from "../util/errors.ts";
import type { StepOptions } from "./step.ts";
import { type MakeStepper, seedTensor, stepper } from "./stepper.ts";

/** How the rate rises. */
export interface LrRangeOptions extends StepOptions {
  /** Rates of the first and the last update. Default 1e-6 and 1. */
  readonly from?: number;
  readonly to?: number;
  /** Updates in all. Default 100. */
  readonly steps?: number;
  /** Share that the smoothed loss keeps of what came before (0.8), corrected at the beginning. */
  readonly smoothing?: number;
  /**
   * Updates after which the batches come again: the loss of each is then taken relative to its first one, so
   * that easy and hard batches do not show as rises and falls. 0: they do not.
   */
  readonly cycle?: number;
  /** Ends where the smoothed loss is so many times its least value. Default 4. */
  readonly diverged?: number;
  readonly seed?: number;
  /** What takes the steps (all in this thread unless told). */
  readonly stepper?: MakeStepper;
  readonly signal?: AbortSignal;
  readonly onPoint?: (point: LrPoint) => void;
}

/** One update. */
export interface LrPoint {
  readonly step: number;
  readonly lr: number;
  readonly loss: number;
  readonly smoothed: number;
}

/** What the test found. */
export interface LrRange {
  readonly points: readonly LrPoint[];
  /** The rate at which the smoothed loss falls fastest; none where it never falls. */
  readonly steepest?: number;
  /** The rate at which the smoothed loss is least. */
  readonly minimum: number;
  /** A rate to train with: the steepest, and at most a tenth of the minimum's. */
  readonly suggested?: number;
  /** Whether the loss rose beyond bounds before the last rate. */
  readonly diverged: boolean;
}

/** Updates to each side that a slope is taken over. */
const REACH = 5;
/** Share of the first smoothed loss by which it has to fall for a rate to be suggested. */
const FALL = 0.01;

/** The update at which the smoothed loss falls fastest by the logarithm of the rate, up to its minimum. */
const steepestOf = (points: readonly LrPoint[], lowest: number): number | undefined => {
  let [best, least] = [undefined as number | undefined, 0];
  for (let i = REACH; i <= Math.min(lowest, points.length - 1 - REACH); i++) {
    const [a, b] = [points[i - REACH]!, points[i + REACH]!];
    const slope = (b.smoothed - a.smoothed) / Math.log(b.lr / a.lr);
    if (slope < least) [best, least] = [i, slope];
  }
  return best;
};

const round = (x: number): number => Number(x.toPrecision(2));

/** What the points say. */
export const readLrRange = (points: readonly LrPoint[], diverged: boolean): LrRange => {
  const lowest = points.reduce((best, { smoothed }, i) => (smoothed < points[best]!.smoothed ? i : best), 0);
  const minimum = points[lowest]!.lr;
  const fell = points[lowest]!.smoothed < points[0]!.smoothed * (1 - FALL);
  const at = fell ? steepestOf(points, lowest) : undefined;
  if (at === undefined) return { points, minimum, diverged };
  const steepest = points[at]!.lr;
  return { points, steepest, minimum, suggested: round(Math.min(steepest, minimum / 10)), diverged };
};

const check = ({ from = 1e-6, to = 1, steps = 100 }: LrRangeOptions): void => {
  if (!(from > 0 && to > from)) {
    throw new ConfigError(`rates from ${from} to ${to} do not rise`, { field: "lrRange" });
  }
  if (steps < 2 * REACH + 2) {
    throw new ConfigError(`${steps} updates are too few to see a slope`, { field: "lrRange.steps" });
  }
};

/** Losses of batches that come again, each less its own first loss and with the mean of all first ones. */
const leveled = (cycle: number) => {
  const first: number[] = [];
  return (step: number, loss: number): number => {
    if (cycle < 1) return loss;
    if (step < cycle) first.push(loss);
    const middle = first.reduce((a, b) => a + b, 0) / first.length;
    return loss - first[step % cycle]! + middle;
  };
};

/** Updates at rising rates, with the loss before each. */
const climb = async (
  run: (micro: readonly Feeds[], lr: number, step: number) => Promise<{ readonly loss: number }>,
  source: BatchSource,
  options: LrRangeOptions,
): Promise<LrRange> => {
  const { from = 1e-6, to = 1, steps = 100, smoothing = 0.8, cycle = 0, diverged: most = 4 } = options;
  const { accumulate = 1, seed = 1 } = options;
  const points: LrPoint[] = [];
  const level = leveled(cycle);
  let [mean, least] = [0, Number.POSITIVE_INFINITY];
  for (let step = 0; step < steps; step++) {
    options.signal?.throwIfAborted();
    const micro: Feeds[] = [];
    for (let m = 0; m < accumulate; m++) {
      micro.push({ ...(await source(step * accumulate + m)), seed: seedTensor(seed, step, m) });
    }
    const lr = from * (to / from) ** (step / (steps - 1));
    const { loss } = await run(micro, lr, step + 1);
    if (!Number.isFinite(loss)) break;
    mean = smoothing * mean + (1 - smoothing) * level(step, loss);
    const smoothed = mean / (1 - smoothing ** (step + 1));
    points.push({ step: step + 1, lr, loss, smoothed });
    options.onPoint?.(points.at(-1)!);
    least = Math.min(least, smoothed);
    if (step >= REACH && smoothed > most * least) break;
  }
  if (points.length < 2) {
    throw new RunError(`the loss of update ${points.length + 1} is not finite, at a rate of ${from}`, {
      hint: "the weights or the data are at fault, not the rate",
    });
  }
  return readLrRange(points, points.length < steps);
};

/**
 * Trains a copy of the model's weights at rising rates and throws it away; the model stays as it is. One
 * compiled step serves all rates. Throws ConfigError for rates that do not rise, RunError where the first
 * losses are not finite.
 */
export const lrRange = async (
  engine: Engine,
  model: Model,
  source: BatchSource,
  options: LrRangeOptions,
): Promise<LrRange> => {
  check(options);
  const made = await (options.stepper ?? stepper)(engine, model, options);
  try {
    return await climb((micro, lr, step) => made.run(micro, lr, step), source, options);
  } finally {
    await made.dispose();
  }
};
