/** A matrix fitted by least squares, so that its product comes to what it lacks. */
import type { Tensor } from "../../ir/tensor.ts";
import type { Cross } from "../calibration/sums.ts";
import { solveSymmetric } from "../rounding/cholesky.ts";
import type { SecondMoments } from "../rounding/moments.ts";

/** Sums over rows: of inputs, and with what the product without its bias lacks. */
export interface HeldOut {
  readonly moments: SecondMoments;
  readonly cross: Cross;
}

/** What a matrix is fitted by. */
export interface FitOptions extends HeldOut {
  /** The same of rows that it is not fitted to. */
  readonly heldOut?: HeldOut;
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
  /** The part of the change that was made, from 0 to 1. */
  readonly share: number;
}

/** Second moments about the means, where a bias takes those. */
const centred = (
  { k, gram }: SecondMoments,
  { count, inputs, targets, products }: Cross,
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

/** The sum of d H d, over the columns of d [K, N]. */
const quadratic = (h: Float64Array, d: Float64Array, k: number, n: number): number => {
  const row = new Float64Array(n);
  let total = 0;
  for (let i = 0; i < k; i++) {
    row.fill(0);
    for (let m = 0; m < k; m++) {
      const factor = h[i * k + m]!;
      for (let j = 0, at = m * n; j < n; j++, at++) row[j]! += factor * d[at]!;
    }
    for (let j = 0; j < n; j++) total += d[i * n + j]! * row[j]!;
  }
  return total;
};

/** The part of a change that helps most on what it was not fitted to, from none to all of it. */
const shareOf = (d: Float64Array, { moments: m, cross }: HeldOut, biased: boolean): number => {
  const { h, c } = centred(m, cross, biased);
  const along = d.reduce((sum, v, i) => sum + v * c[i]!, 0);
  if (!(along > 0)) return 0;
  return Math.min(1, along / quadratic(h, d, m.k, cross.targets.length));
};

/**
 * W + s (H + damping I)^-1 X^T R for a matrix [K, N] or [N, K] as it lies, R what its product X W lacks, and
 * of a biased one the mean of R - X (W' - W); s is the share of that which holds on rows that were held out,
 * else 1. Where H is singular the damping grows until it is not. Throws Error where moments are not finite.
 */
export const fitted = (w: Tensor, options: FitOptions): Fit => {
  const { moments, cross, damping: asked, biased, inputAxis, heldOut } = options;
  const { k } = moments;
  const n = cross.targets.length;
  const { h, c } = centred(moments, cross, biased);
  const damping = solveSymmetric(h, c, { k, n, damping: asked });
  const share = heldOut === undefined ? 1 : shareOf(c, heldOut, biased);
  const at = (i: number, j: number): number => (inputAxis === 0 ? i * n + j : j * k + i);
  const data = w.data as Float32Array;
  const weight = new Float32Array(k * n);
  const bias = Float64Array.from(biased ? cross.targets : [], (sum) => sum / cross.count);
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < n; j++) {
      const change = share * c[i * n + j]!;
      weight[at(i, j)] = data[at(i, j)]! + change;
      if (biased) bias[j]! -= (cross.inputs[i]! / cross.count) * change;
    }
  }
  return { weight, bias: Float32Array.from(bias), damping, share };
};
