/**
 * What the next measurement of a positive figure is likely to be, by some before it: the interval that holds
 * it in 95 of 100 cases where their logarithms are normal (Student's t; Hahn and Meeker, Statistical
 * Intervals, 1991, section 4.7).
 */
import type { Measured } from "./metric.ts";

/** The 97.5th percentile of Student's t for 1 to 5 degrees of freedom. */
const FEW = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706] as const;
const NORMAL = 1.959964;

/** That percentile; from 6 degrees on by its expansion at the normal's (Fisher and Cornish 1960), to 2e-3. */
export const studentT = (degrees: number): number => {
  if (degrees < 1) return Number.POSITIVE_INFINITY;
  const z = NORMAL;
  return (
    FEW[degrees - 1] ??
    z +
      (z ** 3 + z) / (4 * degrees) +
      (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2) +
      (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * degrees ** 3)
  );
};

/** How far measurements of the same thing lie apart. */
export interface Spread {
  /** Standard deviation of the logarithms. */
  readonly deviation: number;
  /** Measurements less what they are of. */
  readonly degrees: number;
}

const logs = (values: readonly number[]): number[] => values.map((x) => Math.log(x));
const meanOf = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0) / xs.length;

/** The common spread of several series of positive values, each about a middle of its own. */
export const spreadOf = (series: readonly (readonly number[])[]): Spread => {
  const degrees = series.reduce((sum, values) => sum + Math.max(0, values.length - 1), 0);
  const squares = series.map(logs).flatMap((xs) => {
    const mean = meanOf(xs);
    return xs.map((x) => (x - mean) ** 2);
  });
  return { degrees, deviation: Math.sqrt(squares.reduce((a, b) => a + b, 0) / degrees) };
};

/**
 * Their median, and the interval of the next one; of one value, or by `spread`, as measurements of other
 * things lie apart. Where the spread is not known it is infinite.
 */
export const nextOf = (values: readonly number[], spread: Spread = spreadOf([values])): Measured => {
  const sorted = values.toSorted((a, b) => a - b);
  const [below, above] = [sorted[(sorted.length - 1) >> 1]!, sorted[sorted.length >> 1]!];
  const value = Math.sqrt(below * above);
  const n = values.length;
  const { degrees, deviation } = spread;
  if (degrees < 1) return { value, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, n };
  const middle = meanOf(logs(values));
  const margin = studentT(degrees) * deviation * Math.sqrt(1 + 1 / n);
  return {
    ...{ value, n },
    low: Math.min(value, Math.exp(middle - margin)),
    high: Math.max(value, Math.exp(middle + margin)),
  };
};
