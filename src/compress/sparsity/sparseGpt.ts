/**
 * SparseGPT (Frantar and Alistarh 2023, https://arxiv.org/abs/2301.00774;
 * https://github.com/IST-DASLab/sparsegpt): inputs are gone through in order, and what each loses is made up
 * for by those that are left, as the second moments say. Which numbers go is chosen anew for each block of
 * inputs by what their absence costs.
 */
import { inverseFactor } from "../rounding/cholesky.ts";
import type { Rows } from "../rounding/codes.ts";
import type { SecondMoments } from "../rounding/moments.ts";
import { markLeast, type Pattern } from "./pattern.ts";

/** How SparseGPT prunes. */
export interface SparseGptOptions {
  /** Share of the diagonal's mean that is added to it; 0.01 unless told. */
  readonly damping?: number;
  /** Inputs that are chosen among at once, of a share; 128 unless told. */
  readonly block?: number;
}

/** Numbers [N, K], and the damping that it took: more than was asked where second moments are singular. */
export interface SparseRows {
  readonly values: Float32Array;
  readonly damping: number;
}

/** 2 / rows sum x x^T, as in theirs; inputs that are always 0 stand alone: nothing depends on them. */
const standing = ({ k, count, gram }: SecondMoments): Float64Array => {
  const h = gram.map((v) => (2 * v) / count);
  for (let i = 0; i < k; i++) if (h[i * k + i] === 0) h[i * k + i] = 1;
  return h;
};

/** Weights on their way, [N, K], and the factor of the inverse moments, [K, K]. */
interface Work {
  readonly n: number;
  readonly k: number;
  readonly w: Float64Array;
  readonly u: Float64Array;
  readonly mask: Uint8Array;
}

/** What the absence of a number costs. */
const cost = ({ k, w, u }: Work, j: number, i: number): number => (w[j * k + i]! / u[i * k + i]!) ** 2;

/** Marks a share of the numbers of inputs `from` to `to`, over all outputs. */
const markBlock = (work: Work, [from, to]: readonly [number, number], share: number): void => {
  const { n, k, mask } = work;
  const width = to - from;
  const costs = Float64Array.from({ length: n * width }, (_, e) =>
    cost(work, Math.floor(e / width), from + (e % width)),
  );
  const threshold = costs.slice().sort()[Math.floor(costs.length * share)]!;
  for (let e = 0; e < costs.length; e++) {
    if (costs[e]! <= threshold) mask[Math.floor(e / width) * k + from + (e % width)] = 1;
  }
};

/** Marks `zeros` of the inputs from `i` on, `of` of them, output by output. */
const markNeighbours = (work: Work, i: number, { zeros, of }: { zeros: number; of: number }): void => {
  const { n, k, mask } = work;
  for (let j = 0; j < n; j++) {
    const costs = Float64Array.from({ length: of }, (_, m) => cost(work, j, i + m));
    const own = new Uint8Array(of);
    markLeast(own, costs, [0, of], zeros);
    for (let m = 0; m < of; m++) if (own[m] === 1) mask[j * k + i + m] = 1;
  }
};

/** Takes the marked numbers of input `i` away; the inputs behind it make up for them. */
const takeAway = ({ n, k, w, u, mask }: Work, i: number): void => {
  for (let j = 0; j < n; j++) {
    const own = j * k + i;
    if (mask[own] === 0) continue;
    const error = w[own]! / u[i * k + i]!;
    w[own] = 0;
    if (error === 0) continue;
    for (let m = i + 1, at = i * k + i + 1, to = own + 1; m < k; m++, at++, to++) w[to]! -= error * u[at]!;
  }
};

/** A matrix [N, K] pruned by SparseGPT. Throws Error for moments that are not finite. */
export const sparseGpt = (
  { n, k, values }: Rows,
  pattern: Pattern,
  moments: SecondMoments,
  { damping: asked = 0.01, block = 128 }: SparseGptOptions = {},
): SparseRows => {
  const { factor: u, damping } = inverseFactor(standing(moments), k, asked);
  const w = Float64Array.from(values, (v, e) => (moments.squares[e % k] === 0 ? 0 : v));
  const work: Work = { n, k, w, u, mask: new Uint8Array(n * k) };
  for (let i = 0; i < k; i++) {
    if ("share" in pattern) {
      if (i % block === 0) markBlock(work, [i, Math.min(k, i + block)], pattern.share);
    } else if (i % pattern.of === 0) markNeighbours(work, i, pattern);
    takeAway(work, i);
  }
  return { values: Float32Array.from(w), damping };
};
