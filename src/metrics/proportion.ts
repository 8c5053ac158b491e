/**
 * The share of examples that have a property, with Wilson's interval (1927,
 * https://doi.org/10.1080/01621459.1927.10502953). Unlike resampling it knows that ten right answers of ten
 * do not make a model infallible.
 */
import type { Measured } from "./metric.ts";

/** The 97.5th percentile of the standard normal distribution. */
const Z = 1.959963984540054;

/**
 * Wilson's score interval of `hits` of `n`: (p + z²/2n ± z sqrt(p (1 - p) / n + z²/4n²)) / (1 + z²/n).
 */
export const proportion = (hits: number, n: number): Measured => {
  const value = hits / n;
  const squared = Z ** 2 / n;
  const centre = (value + squared / 2) / (1 + squared);
  const half = (Z * Math.sqrt((value * (1 - value)) / n + squared / (4 * n))) / (1 + squared);
  return { value, low: hits === 0 ? 0 : centre - half, high: hits === n ? 1 : centre + half, n };
};
