/** A matrix fitted by least squares, so that its product comes to what it lacks. */
import type { Tensor } from "../../ir/tensor.ts";
import type { Cross } from "../calibration/walk.ts";
import { solveSymmetric } from "../rounding/cholesky.ts";
import type { SecondMoments } from "../rounding/moments.ts";

/** What a matrix is fitted by. */
export interface FitOptions {
  readonly moments: SecondMoments;
  /** With what the product without its bias lacks. */
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
 * W + (H + damping I)^-1 X^T R for a matrix [K, N] or [N, K] as it lies, R what its product X W lacks, and
 * of a biased one the mean of R - X (W' - W). Where H is singular the damping grows until it is not. Throws
 * Error for moments that are not finite.
 */
export const fitted = (w: Tensor, { moments, cross, damping: asked, biased, inputAxis }: FitOptions): Fit => {
  const { k, count } = moments;
  const n = cross.targets.length;
  const { h, c } = centred(moments, cross, biased);
  const damping = solveSymmetric(h, c, { k, n, damping: asked });
  const at = (i: number, j: number): number => (inputAxis === 0 ? i * n + j : j * k + i);
  const data = w.data as Float32Array;
  const weight = new Float32Array(k * n);
  const bias = Float64Array.from(biased ? cross.targets : [], (sum) => sum / count);
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < n; j++) {
      const change = c[i * n + j]!;
      weight[at(i, j)] = data[at(i, j)]! + change;
      if (biased) bias[j]! -= (cross.inputs[i]! / count) * change;
    }
  }
  return { weight, bias: Float32Array.from(bias), damping };
};
