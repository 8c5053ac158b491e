/**
 * Intervals by resampling examples (Efron 1979, https://doi.org/10.1214/aos/1176344552; for corpus metrics
 * Koehn 2004, https://aclanthology.org/W04-3250): what a figure would be on other examples of the same
 * kind.
 *
 * Beyond 1,000 examples they are dealt at random into 1,000 groups, and groups are drawn in their place.
 * The variance of a sum over independent examples is the same in expectation, and the cost of drawing is
 * bounded.
 */
import { permutation, rng } from "../util/rng.ts";
import { type IntervalOptions, type Measured, requireCount } from "./metric.ts";

const GROUPS = 1000;

/** A figure of a sample in which example i occurs `weights[i]` times; all ones is the data itself. */
export type Statistic = (weights: Uint32Array) => number;

/** The q-th quantile of sorted numbers, between neighbours in proportion (numpy's default). */
const quantile = (sorted: Float64Array, q: number): number => {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (at - below) * (sorted[above]! - sorted[below]!);
};

/** Which group each of `n` examples is dealt into. */
const dealt = (n: number, seed: number): { readonly groupOf: Uint32Array; readonly groups: number } => {
  const groups = Math.min(n, GROUPS);
  return { groups, groupOf: permutation(n, seed, "bootstrap groups").map((place) => place % groups) };
};

/**
 * The 2.5th and 97.5th percentile of a statistic of how often each group was drawn, stretched to hold the
 * value.
 */
const interval = (
  value: number,
  groups: number,
  statistic: Statistic,
  { resamples = 1000, seed = 0 }: IntervalOptions,
): Pick<Measured, "low" | "high"> => {
  requireCount("resamples", resamples);
  if (groups < 2) return { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  const random = rng(seed, "bootstrap");
  const counts = new Uint32Array(groups);
  const values = Float64Array.from({ length: resamples }, () => {
    counts.fill(0);
    for (let i = 0; i < groups; i++) counts[random.int(groups)]!++;
    return statistic(counts);
  }).sort();
  const [low, high] = [quantile(values, 0.025), quantile(values, 0.975)];
  return { low: Math.min(value, low), high: Math.max(value, high) };
};

/**
 * A statistic of `n` examples with the 2.5th and 97.5th percentile of its values on samples drawn with
 * replacement. A statistic that samples bend to one side (a maximum, an absolute error) may lie outside of
 * these; the interval is then stretched to hold it.
 */
export const bootstrap = (n: number, statistic: Statistic, options: IntervalOptions = {}): Measured => {
  const weights = new Uint32Array(n).fill(1);
  const value = statistic(weights);
  const { groups, groupOf } = dealt(n, options.seed ?? 0);
  const drawn: Statistic = (counts) => {
    for (let i = 0; i < n; i++) weights[i] = counts[groupOf[i]!]!;
    return statistic(weights);
  };
  return { value, ...interval(value, groups, drawn, options), n };
};

/**
 * A figure of the sums of what each example contributes: one row of numbers an example, all of one length.
 * BLEU is one (its counts of n-grams), and so is every ratio of totals. What it costs to draw does not grow
 * beyond 1,000 examples: the rows of a group are added up once.
 */
export const bootstrapSums = (
  rows: readonly (readonly number[])[],
  figure: (sums: readonly number[]) => number,
  options: IntervalOptions = {},
): Measured => {
  const [n, width] = [rows.length, rows[0]?.length ?? 0];
  const { groups, groupOf } = dealt(n, options.seed ?? 0);
  const table = new Float64Array(groups * width);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < width; j++) table[groupOf[i]! * width + j]! += rows[i]![j]!;
  }
  const statistic: Statistic = (counts) => {
    const sums = new Array<number>(width).fill(0);
    for (let i = 0; i < groups; i++) {
      for (let j = 0; j < width; j++) sums[j]! += counts[i]! * table[i * width + j]!;
    }
    return figure(sums);
  };
  const value = statistic(new Uint32Array(groups).fill(1));
  return { value, ...interval(value, groups, statistic, options), n };
};

/** The mean of a number an example. */
export const bootstrapMean = (values: readonly number[], options?: IntervalOptions): Measured =>
  bootstrapSums(
    values.map((x) => [x, 1]),
    ([sum, count]) => sum! / count!,
    options,
  );
