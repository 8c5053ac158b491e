/** Whether held-out text tells two candidates apart: their losses on the same tokens, in pairs. */
import type { Measured } from "../metrics/metric.ts";

/** How much more one candidate loses than another, and how sure that is. */
export interface LossDifference {
  /** Mean difference of the losses of an example: of a token, nats. */
  readonly mean: number;
  /** Standard error of that mean; infinite where a single example was measured. */
  readonly standardError: number;
  /** Examples that both were measured on. */
  readonly n: number;
}

/**
 * The losses of `a` less those of `b`, example by example: what is hard for both falls out of the
 * difference, so that its error is far below that of either mean.
 */
export const lossDifference = (a: Float32Array, b: Float32Array): LossDifference => {
  const n = a.length;
  const mean = a.reduce((sum, x, i) => sum + (x - b[i]!), 0) / n;
  const squares = a.reduce((sum, x, i) => sum + (x - b[i]! - mean) ** 2, 0);
  const standardError = n < 2 ? Number.POSITIVE_INFINITY : Math.sqrt(squares / (n - 1) / n);
  return { mean, standardError, n };
};

/**
 * The same of what is right or wrong, zeros and ones: by half an example more in each of the four cells
 * (Agresti and Min 2005, https://doi.org/10.1002/sim.1781), so that few examples on which two agree do not
 * tell that they always would. Undefined of other numbers.
 */
export const hitDifference = (a: Float32Array, b: Float32Array): LossDifference | undefined => {
  const isHit = (x: number): boolean => x === 0 || x === 1;
  if (!a.every(isHit) || !b.every(isHit)) return undefined;
  const { mean, n } = lossDifference(a, b);
  const only = (one: Float32Array, other: Float32Array): number =>
    one.reduce((sum, x, i) => sum + Number(x > other[i]!), 0.5);
  const [first, second] = [only(a, b), only(b, a)];
  const spread = first + second - (first - second) ** 2 / (n + 2);
  return { mean, standardError: Math.sqrt(spread) / (n + 2), n };
};

/** Whether a difference is on no certain side of `limit`: within two standard errors of it. */
export const withinNoise = ({ mean, standardError }: LossDifference, limit = 0): boolean =>
  2 * standardError > Math.abs(mean - limit);

/**
 * How many examples in all would tell a figure from `bound`, its interval being as wide as the root of their
 * number is small: infinite where it is at the bound, or where one example was measured.
 */
export const examplesToTell = ({ value, low, high, n }: Measured, bound: number): number => {
  const share = Math.max(value - low, high - value) / Math.abs(value - bound);
  return Number.isFinite(share) ? Math.ceil(n * share ** 2) : Number.POSITIVE_INFINITY;
};
