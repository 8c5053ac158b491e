/** A matrix fitted by least squares to what its product is to come to. */
import type { Tensor } from "../../ir/tensor.ts";
import type { Cross } from "../calibration/walk.ts";
import { inverseFactor } from "../rounding/cholesky.ts";
import type { SecondMoments } from "../rounding/moments.ts";

/** What a matrix is fitted by. */
export interface FitOptions {
  readonly moments: SecondMoments;
  readonly cross: Cross;
  /** Share of the mean of the moments' diagonal that is added to it. */
  readonly damping: number;
  /** Whether a bias is fitted too. */
  readonly biased: boolean;
  /** The axis of the matrix's inputs. */
  readonly inputAxis: 0 | 1;
}

/** Fitted numbers: the matrix as it lies, its bias [N] (empty without), and the damping that it took. */
export interface Fit {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly damping: number;
}

/** U^T U B for U [K, K], upper triangular, and B [K, N], in place of B. */
const solve = (u: Float64Array, b: Float64Array, k: number, n: number): void => {
  // U B: a row needs those below it, which are still as they were.
  for (let i = 0; i < k; i++) {
    const row = b.subarray(i * n, (i + 1) * n);
    const own = u[i * k + i]!;
    for (let j = 0; j < n; j++) row[j]! *= own;
    for (let m = i + 1; m < k; m++) {
      const factor = u[i * k + m]!;
      for (let j = 0, at = m * n; j < n; j++, at++) row[j]! += factor * b[at]!;
    }
  }
  // U^T of that: a row needs those above it, so the last comes first.
  for (let i = k - 1; i >= 0; i--) {
    const row = b.subarray(i * n, (i + 1) * n);
    const own = u[i * k + i]!;
    for (let j = 0; j < n; j++) row[j]! *= own;
    for (let m = 0; m < i; m++) {
      const factor = u[m * k + i]!;
      for (let j = 0, at = m * n; j < n; j++, at++) row[j]! += factor * b[at]!;
    }
  }
};

/** Second moments about the means, where a bias takes those. */
const centred = (
  { k, count, gram }: SecondMoments,
  { inputs, targets, products }: Cross,
  biased: boolean,
): { readonly h: Float64Array; readonly c: Float64Array } => {
  const [h, c] = [gram.slice(), products.slice()];
  if (!biased) return { h, c };
  const n = targets.length;
  for (let i = 0; i < k; i++) {
    const mean = inputs[i]! / count;
    for (let m = 0; m < k; m++) h[i * k + m]! -= mean * inputs[m]!;
    for (let j = 0; j < n; j++) c[i * n + j]! -= mean * targets[j]!;
  }
  return { h, c };
};

/**
 * W + (H + damping I)^-1 (X^T Y - H W) for a matrix [K, N] or [N, K] as it lies, and of a biased one the mean
 * of Y - X W. Where H is singular the damping grows until it is not. Throws Error for moments that are not
 * finite.
 */
export const fitted = (w: Tensor, { moments, cross, damping: asked, biased, inputAxis }: FitOptions): Fit => {
  const { k, count } = moments;
  const n = cross.targets.length;
  const { h, c } = centred(moments, cross, biased);
  const at = (i: number, j: number): number => (inputAxis === 0 ? i * n + j : j * k + i);
  const data = w.data as Float32Array;
  const rows = Float64Array.from({ length: k * n }, (_, e) => data[at(Math.floor(e / n), e % n)]!);
  for (let i = 0; i < k; i++) {
    for (let m = 0; m < k; m++) {
      const factor = h[i * k + m]!;
      for (let j = 0; j < n; j++) c[i * n + j]! -= factor * rows[m * n + j]!;
    }
  }
  const { factor, damping } = inverseFactor(h, k, asked);
  solve(factor, c, k, n);
  const weight = new Float32Array(k * n);
  const bias = Float64Array.from(biased ? cross.targets : [], (sum) => sum / count);
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < n; j++) {
      const value = rows[i * n + j]! + c[i * n + j]!;
      weight[at(i, j)] = value;
      if (biased) bias[j]! -= (cross.inputs[i]! / count) * value;
    }
  }
  return { weight, bias: Float32Array.from(bias), damping };
};
