/**
 * Where to measure while nothing is known of the values: a sequential design by the integrated variance of a
 * Gaussian process, which does not ask what was measured (Sacks et al. 1989, https://doi.org/10.1214/ss/1177012413;
 * Cohn 1996, https://doi.org/10.1016/0893-6080(95)00137-9). It begins in the middle of the space, and goes on
 * where most is open.
 */
import { covariance, type Kernel } from "./gp.ts";

/** The kernel before anything was measured: where the priors of `fitKernel` have their peak. */
const before = (dims: number): Kernel => ({ inverse: Array(dims).fill(1), scale: 1, noise: 0.01 });

/** What is explained of the covariance with each of `all` by the first `count` of them: a column for each. */
const explainedBy = (
  count: number,
  all: readonly (readonly number[])[],
  kernel: Kernel,
  nominal?: readonly boolean[],
): Float64Array[] => {
  const columns: Float64Array[] = [];
  for (let n = 0; n < count; n++) {
    const left = all.map((at, i) => {
      const shared = columns.reduce((sum, column) => sum + column[n]! * column[i]!, 0);
      return covariance(all[n]!, at, kernel, nominal) - shared;
    });
    const root = Math.sqrt(Math.max(0, left[n]!) + kernel.noise);
    columns.push(Float64Array.from(left, (v) => v / root));
  }
  return columns;
};

/**
 * By how much a measurement at each of `points` lowers the process's variance, in sum over `points`, where
 * there are or will be measurements at `known`: rows of coordinates from 0 to 1. `nominal` dimensions are
 * equal or not.
 */
export const varianceReduction = (
  points: readonly (readonly number[])[],
  known: readonly (readonly number[])[],
  nominal?: readonly boolean[],
): number[] => {
  const kernel = before(points[0]?.length ?? 0);
  const columns = explainedBy(known.length, [...known, ...points], kernel, nominal);
  const explained = columns.map((column) => column.subarray(known.length));
  return points.map((at, i) => {
    const left = points.map((other, j) => {
      const shared = explained.reduce((sum, column) => sum + column[i]! * column[j]!, 0);
      return covariance(at, other, kernel, nominal) - shared;
    });
    return left.reduce((sum, v) => sum + v * v, 0) / (Math.max(0, left[i]!) + kernel.noise);
  });
};
