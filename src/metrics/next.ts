/**
 * What later measurements of a positive figure are likely to be, by those before: of their logarithms, taken
 * as normal, intervals by Student's t. One holds the middle in 95 of 100 cases; one, which is wider, all of
 * the next ten (simultaneous prediction: Hahn and Meeker, Statistical Intervals, 1991, section 4.8).
 */
import type { Measured } from "./metric.ts";

/** The probability that |t| stays below sqrt(degrees) tan(angle) (Abramowitz and Stegun 1964, 26.7.3-4). */
const inside = (degrees: number, angle: number): number => {
  const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
  const odd = degrees % 2;
  let [sum, term] = [0, odd ? cos : 1];
  for (let k = odd; k <= degrees - 2; k += 2) {
    sum += term;
    term *= (cos ** 2 * (k + 1)) / (k + 2);
  }
  return odd ? (2 / Math.PI) * (angle + sin * sum) : sin * sum;
};

/** Below which |t| of Student's distribution lies in a share of cases, for whole degrees of freedom. */
export const studentT = (degrees: number, share = 0.95): number => {
  if (degrees < 1) return Number.POSITIVE_INFINITY;
  let [low, high] = [0, Math.PI / 2];
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (inside(degrees, middle) < share) low = middle;
    else high = middle;
  }
  return Math.sqrt(degrees) * Math.tan((low + high) / 2);
};

/** How far measurements of the same thing lie apart. */
export interface Spread {
  /** Standard deviation of the logarithms. */
  readonly deviation: number;
  /** Measurements less what they are of. */
  readonly degrees: number;
}

const meanOf = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0) / xs.length;

/** The common spread of several series of logarithms, each about a mean of its own. */
export const spreadOf = (series: readonly (readonly number[])[]): Spread => {
  const degrees = series.reduce((sum, xs) => sum + Math.max(0, xs.length - 1), 0);
  const squares = series.flatMap((xs) => {
    const mean = meanOf(xs);
    return xs.map((x) => (x - mean) ** 2);
  });
  return { degrees, deviation: degrees < 1 ? 0 : Math.sqrt(meanOf(squares) * (squares.length / degrees)) };
};

/** What is known of the middle of measurements. */
export interface Middle {
  /** Median of the logarithms. */
  readonly log: number;
  /** Variance of that. */
  readonly error: number;
  /** Measurements. */
  readonly n: number;
}

/** The middle of logarithms of which each has this spread. The variance of medians is that of many. */
export const middleOf = (xs: readonly number[], { deviation }: Spread): Middle => {
  const sorted = xs.toSorted((a, b) => a - b);
  const n = xs.length;
  const log = (sorted[(n - 1) >> 1]! + sorted[n >> 1]!) / 2;
  return { log, error: ((n > 2 ? Math.PI / 2 : 1) * deviation ** 2) / n, n };
};

const around = ({ log, n }: Middle, margin: number): Measured => {
  if (Number.isFinite(margin))
    return { value: Math.exp(log), low: Math.exp(log - margin), high: Math.exp(log + margin), n };
  return { value: Math.exp(log), low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, n };
};

/** Later measurements that an interval is to hold. */
const LATER = 10;

/** The middle, with the interval that holds all of the next ten in 95 of 100 cases (Bonferroni). */
export const nextOf = (middle: Middle, { deviation, degrees }: Spread): Measured =>
  around(middle, studentT(degrees, 1 - 0.05 / LATER) * Math.sqrt(deviation ** 2 + middle.error));

/** The middle, with the interval that holds it in 95 of 100 cases. */
export const typicalOf = (middle: Middle, degrees: number): Measured =>
  around(middle, studentT(degrees) * Math.sqrt(middle.error));
