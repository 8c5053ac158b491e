/**
 * Gaussian processes with a Matern 5/2 kernel and a length for each dimension (Rasmussen and Williams 2006,
 * https://gaussianprocess.org/gpml). Unordered choices are equal or not, whatever their numbers.
 */
import { inverseFactor } from "../../compress/rounding/cholesky.ts";

/** A kernel's parameters. */
export interface Kernel {
  /** 1 / length^2 of each dimension. */
  readonly inverse: readonly number[];
  /** Variance of what is modelled. */
  readonly scale: number;
  /** Variance of what is measured around it. */
  readonly noise: number;
}

/** What was measured: a row of coordinates from 0 to 1 and a value each. */
export interface Observations {
  readonly x: readonly (readonly number[])[];
  readonly y: readonly number[];
  /** Dimensions that are equal or not. */
  readonly nominal?: readonly boolean[];
}

/** Squared distance along a dimension. */
const apart = (a: number, b: number, nominal: boolean | undefined): number =>
  nominal ? Number(a !== b) : (a - b) ** 2;

const matern = (squared: number): number => {
  const s = Math.sqrt(5 * squared);
  return Math.exp(-s) * ((5 / 3) * squared + s + 1);
};

/** The derivative of `matern` by the squared distance. */
const maternSlope = (squared: number): number => {
  const s = Math.sqrt(5 * squared);
  return (-5 / 6) * (s + 1) * Math.exp(-s);
};

const distance = (
  a: readonly number[],
  b: readonly number[],
  { inverse }: Kernel,
  nominal: readonly boolean[] = [],
): number => {
  let sum = 0;
  for (let d = 0; d < inverse.length; d++) sum += inverse[d]! * apart(a[d]!, b[d]!, nominal[d]);
  return sum;
};

/** Covariance of what is modelled at two places. */
export const covariance = (
  a: readonly number[],
  b: readonly number[],
  kernel: Kernel,
  nominal?: readonly boolean[],
): number => kernel.scale * matern(distance(a, b, kernel, nominal));

/** U x, U upper triangular [n, n]. */
const times = (u: Float64Array, x: ArrayLike<number>): Float64Array => {
  const n = x.length;
  const product = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = i, at = i * n + i; j < n; j++, at++) sum += u[at]! * x[j]!;
    product[i] = sum;
  }
  return product;
};

/** U^T x. */
const transposedTimes = (u: Float64Array, x: Float64Array): Float64Array => {
  const n = x.length;
  const product = new Float64Array(n);
  for (let i = 0; i < n; i++) for (let j = i; j < n; j++) product[j]! += u[i * n + j]! * x[i]!;
  return product;
};

/** U with K^-1 = U^T U of the observations' covariance, and K^-1 y. */
const solved = ({ x, y, nominal }: Observations, kernel: Kernel) => {
  const n = x.length;
  const k = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = covariance(x[i]!, x[j]!, kernel, nominal);
      k[i * n + j] = k[j * n + i] = value + (i === j ? kernel.noise : 0);
    }
  }
  const { factor } = inverseFactor(k, n, 0);
  const whitened = times(factor, y);
  return { factor, whitened, alpha: transposedTimes(factor, whitened) };
};

/** U^T U, of which the upper triangle is made. */
const inverseOf = (u: Float64Array, n: number): Float64Array => {
  const product = new Float64Array(n * n);
  for (let m = 0; m < n; m++) {
    for (let j = m; j < n; j++) {
      const own = u[m * n + j]!;
      for (let i = j; i < n; i++) product[j * n + i]! += own * u[m * n + i]!;
    }
  }
  return product;
};

/** What a process says of a place that was not measured: of the value there, not of a measurement of it. */
export interface Posterior {
  readonly mean: number;
  readonly variance: number;
}

/** The process given what was measured. */
export const posterior = (
  observations: Observations,
  kernel: Kernel,
): ((at: readonly number[]) => Posterior) => {
  const { x, nominal } = observations;
  const { factor, alpha } = solved(observations, kernel);
  return (at) => {
    const k = new Float64Array(x.length);
    let mean = 0;
    for (let i = 0; i < k.length; i++) {
      k[i] = covariance(at, x[i]!, kernel, nominal);
      mean += k[i]! * alpha[i]!;
    }
    let variance = kernel.scale;
    for (const v of times(factor, k)) variance -= v * v;
    return { mean, variance: Math.max(0, variance) };
  };
};

/** log probability of what was measured, and its gradient by the logarithms of inverse, scale and noise. */
export const logLikelihood = (observations: Observations, kernel: Kernel) => {
  const { x, nominal = [] } = observations;
  const n = x.length;
  const { factor, whitened, alpha } = solved(observations, kernel);
  let value = (-n / 2) * Math.log(2 * Math.PI) - 0.5 * whitened.reduce((sum, v) => sum + v * v, 0);
  for (let i = 0; i < n; i++) value += Math.log(factor[i * n + i]!);
  const dims = kernel.inverse.length;
  const gradient = new Float64Array(dims + 2);
  const inverses = inverseOf(factor, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const inverse = inverses[j * n + i]!;
      // Half of the pairs stand for all: off the diagonal each counts twice.
      const weight = (alpha[i]! * alpha[j]! - inverse) * (i === j ? 0.5 : 1);
      const squared = distance(x[i]!, x[j]!, kernel, nominal);
      const slope = weight * kernel.scale * maternSlope(squared);
      for (let d = 0; d < dims; d++) {
        gradient[d]! += slope * kernel.inverse[d]! * apart(x[i]![d]!, x[j]![d]!, nominal[d]);
      }
      gradient[dims]! += weight * kernel.scale * matern(squared);
      if (i === j) gradient[dims + 1]! += weight * kernel.noise;
    }
  }
  return { value, gradient };
};

const LEAST_NOISE = 1e-6;

const kernelOf = (logs: Float64Array): Kernel => {
  const dims = logs.length - 2;
  const values = Array.from(logs, Math.exp);
  return { inverse: values.slice(0, dims), scale: values[dims]!, noise: LEAST_NOISE + values[dims + 1]! };
};

/** The gradient of Optuna's priors, by the logarithms: lengths near 1, scale 1, little noise. */
const priorGradient = (logs: Float64Array): Float64Array =>
  logs.map((log, i) => {
    const value = Math.exp(log);
    const after = logs.length - i;
    if (after > 2) return 0.1 / value - 0.1 * value;
    return after === 2 ? 1 - value : 0.1 - 30 * value;
  });

const ROUNDS = 40;
/** Observations that a kernel is fitted to: more of them cost much and change it little. */
const FITTED = 40;

/** At most `FITTED` of the observations, evenly taken. */
const thinned = ({ x, y, nominal }: Observations): Observations => {
  const size = Math.min(FITTED, x.length);
  const at = Array.from({ length: size }, (_, i) => Math.floor((i * x.length) / size));
  const taken = { x: at.map((i) => x[i]!), y: at.map((i) => y[i]!) };
  return nominal === undefined ? taken : { ...taken, nominal };
};

/**
 * The kernel under which the observations (of mean 0 and variance 1) are most likely, given priors: found by
 * Rprop (Blum and Riedmiller 2013, https://www.elen.ucl.ac.be/Proceedings/esann/esannpdf/es2013-54.pdf).
 */
export const fitKernel = (all: Observations): Kernel => {
  const observations = thinned(all);
  const dims = observations.x[0]!.length;
  const logs = new Float64Array(dims + 2);
  logs[dims + 1] = Math.log(0.01);
  const steps = new Float64Array(dims + 2).fill(0.3);
  let before = new Float64Array(dims + 2);
  for (let round = 0; round < ROUNDS; round++) {
    const { gradient } = logLikelihood(observations, kernelOf(logs));
    const prior = priorGradient(logs);
    const now = gradient.map((g, i) => g + prior[i]!);
    for (let i = 0; i < now.length; i++) {
      const turned = now[i]! * before[i]!;
      steps[i] = Math.min(1, Math.max(1e-4, steps[i]! * (turned > 0 ? 1.2 : turned < 0 ? 0.5 : 1)));
      if (turned < 0) now[i] = 0;
      logs[i] = Math.min(9, Math.max(-14, logs[i]! + Math.sign(now[i]!) * steps[i]!));
    }
    before = now;
    if (steps.every((step) => step < 1e-3)) break;
  }
  return kernelOf(logs);
};
