/**
 * Causal multi-head self-attention with one fused projection, for training and for decoding against a cache.
 */
import type { Value } from "../../ir/op.ts";
import type { Dim } from "../../ir/tensor.ts";
import type { CacheInputs } from "../../ops/attention.ts";
import { reshape, split, transpose } from "../../ops/structure.ts";
import { conv1d, type Linear } from "../linear.ts";
import type { Param } from "../param.ts";
import { cachedAttention } from "./cachedAttention.ts";
import { dotProductAttention, joinHeads } from "./dotProductAttention.ts";

/** Weights of attention with one projection for queries, keys and values (GPT-2). */
export type Attention<T> = { c_attn: Linear<T>; c_proj: Linear<T> };

/** Heads and scale, mask or cache, and dropout. */
export interface AttentionOptions {
  readonly heads: number;
  /** Factor of the scores; D^-0.5 unless told. */
  readonly scale?: number;
  /** Additive causal mask [1, 1, T, T]; needed unless there is a cache. */
  readonly mask?: Value;
  /** Decoding: the layer's cache and its length after this call. */
  readonly cache?: CacheInputs & { readonly total: Dim };
  /** Applied to the probabilities [B, H, T, T]; absent means no dropout there. */
  readonly dropProbs?: (probs: Value) => Value;
}

/** The result [B, T, C], and the layer's grown cache where one was given. */
export interface Attended {
  readonly out: Value;
  readonly present?: { readonly key: Value; readonly value: Value };
}

/** [B, T, 3C] -> q, k, v [B, H, T, D] */
const heads = (qkv: Value, count: number): readonly Value[] => {
  const [b, t, width] = qkv.shape;
  const d = (width as number) / (3 * count);
  const cut = transpose(reshape(qkv, [b!, t!, 3, count, d]), [2, 0, 3, 1, 4]); // [3, B, H, T, D]
  return split(cut, 0, 3).map((x) => reshape(x, [b!, count, t!, d]));
};

const trained = (qkv: Value, options: AttentionOptions): Value => {
  const [q, k, v] = heads(qkv, options.heads) as [Value, Value, Value];
  return joinHeads(dotProductAttention(q, k, v, options));
};

/** [B, T, C] -> [B, T, C], and the grown cache where one was given. */
export const attention = (p: Attention<Param>, x: Value, options: AttentionOptions): Attended => {
  const qkv = conv1d(p.c_attn, x);
  if (options.cache === undefined) return { out: conv1d(p.c_proj, trained(qkv, options)) };
  const { heads: count, cache } = options;
  const headWidth = (qkv.shape[2] as number) / (3 * count);
  const scale = options.scale ?? 1 / Math.sqrt(headWidth);
  const sizes = { heads: count, kvHeads: count, headWidth, scale, total: cache.total };
  const { out, key, value } = cachedAttention(qkv, cache, sizes);
  return { out: conv1d(p.c_proj, out), present: { key, value } };
};
