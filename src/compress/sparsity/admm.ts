/**
 * Pruning with the numbers that stay fitted to the outputs (Boža 2024, https://arxiv.org/abs/2401.02938;
 * https://github.com/fmfi-compbio/admm-pruning): the squared error of a product under a mask, by the
 * alternating direction method of multipliers, so that one inverse serves all outputs whatever their masks.
 * Which numbers go is chosen anew in the first steps, by magnitude times the norm of what it multiplies as
 * Wanda does, of numbers that make up for those that are gone already; a share grows from step to step.
 */
import { inverseFactor } from "../rounding/cholesky.ts";
import type { Rows } from "../rounding/codes.ts";
import type { SecondMoments } from "../rounding/moments.ts";
import { markGroups, markLeast, type Pattern } from "./pattern.ts";
import type { Times } from "./products.ts";

/** Steps in all, and those in which numbers are chosen. */
const [STEPS, CHOOSING] = [30, 15];
/** Beside inputs of norm 1: what distance from the pruned numbers costs, and that from the first ones. */
const [PENALTY, DAMPING] = [1, 0.01];

/** The damped moments [K, K] of inputs of norm 1, and their norms. Inputs that are always 0 stand alone. */
const normed = ({ k, gram, squares }: SecondMoments) => {
  const norms = Float64Array.from(squares, (s) => (s > 0 ? Math.sqrt(s) : 1));
  const h = gram.map((v, at) => v / (norms[Math.floor(at / k)]! * norms[at % k]!));
  for (let i = 0; i < k; i++) h[i * k + i] = 1 + DAMPING;
  return { norms, h };
};

/** The inverse of the moments with the penalty on their diagonal, which is never singular. */
const inverseOf = async (times: Times, h: Float64Array, k: number): Promise<Float32Array> => {
  const more = h.slice();
  for (let i = 0; i < k; i++) more[i * k + i]! += PENALTY;
  const u = Float32Array.from(inverseFactor(more, k, 0).factor);
  const turned = new Float32Array(k * k);
  for (let i = 0; i < k; i++) for (let m = i; m < k; m++) turned[m * k + i] = u[i * k + m]!;
  return times(turned, u, { n: k, k });
};

/** Marks what goes of numbers that count `scores`, in step `step`. */
const marked = (scores: Float32Array, { n, k }: Rows, pattern: Pattern, step: number): Uint8Array => {
  const mask = new Uint8Array(n * k);
  if ("share" in pattern) {
    const share = pattern.share * (1 - (1 - Math.min(1, (step + 1) / CHOOSING)) ** 3);
    const count = Math.floor(k * share);
    for (let j = 0; j < n; j++) markLeast(mask, scores, [j * k, (j + 1) * k], count);
  } else markGroups(mask, scores, pattern);
  return mask;
};

/** A matrix [N, K] pruned by ADMM. Throws Error for moments that are not finite. */
export const admm = async (
  rows: Rows,
  pattern: Pattern,
  { moments, times }: { readonly moments: SecondMoments; readonly times: Times },
): Promise<Float32Array> => {
  const { n, k, values } = rows;
  const { norms, h } = normed(moments);
  const w = Float32Array.from(values, (v, at) => v * norms[at % k]!);
  const wanted = await times(w, Float32Array.from(h), { n, k });
  const inverse = await inverseOf(times, h, k);
  const [z, u] = [new Float32Array(n * k), new Float32Array(n * k)];
  let mask: Uint8Array = new Uint8Array(n * k);
  let free: Float32Array = w;
  for (let step = 0; step < STEPS; step++) {
    const sum = free.map((v, at) => v + u[at]!);
    if (step < CHOOSING) mask = marked(sum.map(Math.abs), rows, pattern, step);
    for (let at = 0; at < z.length; at++) {
      z[at] = mask[at] === 1 ? 0 : sum[at]!;
      u[at] = sum[at]! - z[at]!;
    }
    const right = wanted.map((v, at) => v + PENALTY * (z[at]! - u[at]!));
    free = await times(right, inverse, { n, k });
  }
  return free.map((v, at) => (mask[at] === 1 ? 0 : (v + u[at]!) / norms[at % k]!));
};
