/**
 * Scaled dot-product attention (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762) over heads, with what
 * only training does to it: dropout of the probabilities, which the fused op leaves no place for.
 */
import type { Value } from "../../ir/op.ts";
import { attend } from "../../ops/attention.ts";
import { add } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { softmax } from "../../ops/reduce.ts";
import { reshape, transpose } from "../../ops/structure.ts";

// B batch, H heads, T queries, S keys, D head width

/** Mask, scale and dropout of one attention. */
export interface DotProductOptions {
  /** Additive, broadcasts to [B, H, T, S]. */
  readonly mask?: Value | undefined;
  /** Factor of the scores; D^-0.5 unless told. */
  readonly scale?: number | undefined;
  /** Applied to the probabilities [B, H, T, S]; absent means no dropout there. */
  readonly dropProbs?: ((probs: Value) => Value) | undefined;
}

/** softmax(scale * q k^T + mask) v: q [B, H, T, D], k and v [B, H, S, D] -> [B, H, T, D] */
export const dotProductAttention = (q: Value, k: Value, v: Value, options: DotProductOptions): Value => {
  const { mask, scale = 1 / Math.sqrt(q.shape.at(-1) as number), dropProbs } = options;
  if (dropProbs === undefined) return attend(q, k, v, mask, scale)[0];
  const scores = matmul(q, k, { transB: true, alpha: scale });
  return matmul(dropProbs(softmax(mask === undefined ? scores : add(scores, mask))), v);
};

/** [B, T, H D] -> [B, H, T, D] */
export const splitHeads = (x: Value, heads: number): Value => {
  const [b, t, width] = x.shape;
  return transpose(reshape(x, [b!, t!, heads, (width as number) / heads]), [0, 2, 1, 3]);
};

/** [B, H, T, D] -> [B, T, H D] */
export const joinHeads = (x: Value): Value => {
  const [b, heads, t, d] = x.shape;
  return reshape(transpose(x, [0, 2, 1, 3]), [b!, t!, (heads as number) * (d as number)]);
};
