/** The normal distribution far into its tails: what acquisition functions are made of. */

const ROOT_2PI = Math.sqrt(2 * Math.PI);

/** Density at x. */
export const density = (x: number): number => Math.exp(-0.5 * x * x) / ROOT_2PI;

/** Logarithm of the density at x. */
export const logDensity = (x: number): number => -0.5 * x * x - Math.log(ROOT_2PI);

/** The integral of the density from 0 to x, by its series (Marsaglia 2004), for |x| below about 5. */
const fromZero = (x: number): number => {
  let [sum, term] = [x, x];
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return sum * density(x);
};

/** Levels of a continued fraction, which are enough for a double's digits from 3 on. */
const DEPTH = 45;

/** (1 - cdf) / density at x >= 3, by its continued fraction (Laplace). */
const mills = (x: number): number => {
  let tail = 0;
  for (let k = DEPTH; k >= 1; k--) tail = k / (x + tail);
  return 1 / (x + tail);
};

/** Probability of less than x. */
export const cdf = (x: number): number => {
  if (Number.isNaN(x)) return Number.NaN;
  if (x === 0) return 0.5;
  if (x < -3) return x < -40 ? 0 : density(x) * mills(-x);
  return x > 3 ? 1 - cdf(-x) : 0.5 + fromZero(x);
};

/** Logarithm of the probability of less than x, finite wherever x is. */
export const logCdf = (x: number): number => {
  if (x === Number.NEGATIVE_INFINITY) return Number.NEGATIVE_INFINITY;
  if (x < -3) return logDensity(x) + Math.log(mills(-x));
  return x > 3 ? Math.log1p(-cdf(-x)) : Math.log(cdf(x));
};

/** log(e^a - e^b) for a >= b. */
export const logDifference = (a: number, b: number): number => {
  if (b === Number.NEGATIVE_INFINITY) return a;
  const gap = b - a;
  if (!(gap < 0)) return Number.NEGATIVE_INFINITY;
  return a + (gap > -0.69 ? Math.log(-Math.expm1(gap)) : Math.log1p(-Math.exp(gap)));
};

/** log of the sum of e^x. */
export const logSum = (xs: readonly number[]): number => {
  const most = xs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (!Number.isFinite(most)) return most;
  return most + Math.log(xs.reduce((sum, x) => sum + Math.exp(x - most), 0));
};

/** Logarithm of the probability between a and b. */
export const logMass = (a: number, b: number): number => {
  if (a > 0) return logMass(-b, -a);
  if (b <= 0) return logDifference(logCdf(b), logCdf(a));
  return Math.log1p(-cdf(a) - cdf(-b));
};

/**
 * Logarithm of the expected improvement below 0 of a standard normal that is moved by z: log(z cdf(z) +
 * density(z)), without cancellation (Ament et al. 2023, https://arxiv.org/abs/2310.20708).
 */
export const logImprovement = (z: number): number => {
  if (z > -3) return Math.log(z * cdf(z) + density(z));
  // density(z) (1 + z mills(-z)), where both terms nearly cancel: the series of what is left.
  const t = -z;
  if (t > 1e4) return logDensity(z) - 2 * Math.log(t);
  let tail = 0;
  for (let k = DEPTH; k >= 2; k--) tail = k / (t + tail);
  // mills = 1 / (t + 1 / (t + tail)), so that 1 - t mills = mills / (t + tail).
  return logDensity(z) + Math.log(mills(t)) - Math.log(t + tail);
};
