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
