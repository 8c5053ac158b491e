/**
 * Causal attention in which groups of query heads share a key and a value (Ainslie et al. 2023,
 * https://arxiv.org/abs/2305.13245), with rotary positions and, where the weights have them, norms of queries
 * and keys. The queries of a group stand behind one another as rows, so that no key is ever repeated.
 */
import type { Value } from "../../ir/op.ts";
import type { Dim } from "../../ir/tensor.ts";
import type { CacheInputs, Projections } from "../../ops/attention.ts";
import { type RotaryTables, rotary } from "../../ops/rotary.ts";
import { reshape, transpose } from "../../ops/structure.ts";
import { projections } from "../fused.ts";
import { linear, type Projection } from "../linear.ts";
import type { Param } from "../param.ts";
import { type RmsNorm, rmsNorm } from "../rmsNorm.ts";
import type { Attended } from "./attention.ts";
import { cachedAttention } from "./cachedAttention.ts";
import { dotProductAttention, splitHeads } from "./dotProductAttention.ts";

// B batch, T time, C channels, H query heads, K key heads, G = H / K, D head width

/** Weights of attention whose query heads share keys and values; the norms are of one head's width. */
export type GroupedAttention<T> = {
  q_proj: Projection<T>;
  k_proj: Projection<T>;
  v_proj: Projection<T>;
  o_proj: Projection<T>;
  q_norm?: RmsNorm<T>;
  k_norm?: RmsNorm<T>;
};

/** Heads, positions, mask or cache, and dropout. */
export interface GroupedOptions {
  readonly heads: number;
  readonly kvHeads: number;
  /** Of the norms of queries and keys. */
  readonly epsilon: number;
  /** [B, T] or [T]: each token's row in `tables`. */
  readonly positions: Value;
  readonly tables: RotaryTables;
  /** Additive, broadcasts to [B, K, G T, T]; needed unless there is a cache. */
  readonly mask?: Value;
  /** Decoding: the layer's cache and its length after this call. */
  readonly cache?: CacheInputs & { readonly total: Dim };
  /** Applied to the probabilities [B, K, G T, T]; absent means no dropout there. */
  readonly dropProbs?: (probs: Value) => Value;
  /** Path of the weights, to name joined ones by. */
  readonly name: string;
}

/** [B, T, heads D] normalised head by head. */
const normHeads = (p: RmsNorm<Param> | undefined, x: Value, heads: number, epsilon: number): Value => {
  if (p === undefined) return x;
  const [b, t, width] = x.shape;
  const each = reshape(x, [b!, t!, heads, (width as number) / heads]);
  return reshape(rmsNorm(p, each, epsilon), x.shape);
};

/** x [B, T, C] -> query [B, T, H D] and key [B, T, K D], turned, and value [B, T, K D]. */
const queryKeyValue = (p: GroupedAttention<Param>, x: Value, options: GroupedOptions): Projections => {
  const { heads, kvHeads, epsilon, positions, tables, cache, name } = options;
  const parts = [p.q_proj, p.k_proj, p.v_proj];
  const [q, k, v] =
    cache === undefined ? parts.map((part) => linear(part, x)) : projections(parts, x, `${name}.qkv_proj`);
  return [
    rotary(normHeads(p.q_norm, q!, heads, epsilon), positions, tables, heads),
    rotary(normHeads(p.k_norm, k!, kvHeads, epsilon), positions, tables, kvHeads),
    v!,
  ];
};

/** Attention without a cache -> [B, T, H D]. */
const attended = ([q, k, v]: Projections, options: GroupedOptions): Value => {
  const { heads, kvHeads } = options;
  const [b, t, width] = q.shape as readonly number[];
  const [d, groups] = [width! / heads, heads / kvHeads];
  const apart = reshape(q, [b!, t!, kvHeads, groups, d]);
  const rows = reshape(transpose(apart, [0, 2, 3, 1, 4]), [b!, kvHeads, groups * t!, d]); // [B, K, G T, D]
  const [keys, values] = [splitHeads(k, kvHeads), splitHeads(v, kvHeads)]; // [B, K, T, D]
  const context = dotProductAttention(rows, keys, values, options);
  const out = reshape(context, [b!, kvHeads, groups, t!, d]);
  return reshape(transpose(out, [0, 3, 1, 2, 4]), [b!, t!, width!]);
};

/** [B, T, C] -> [B, T, C], and the grown cache where one was given. */
export const groupedAttention = (p: GroupedAttention<Param>, x: Value, options: GroupedOptions): Attended => {
  const parts = queryKeyValue(p, x, options);
  const { heads, kvHeads, cache } = options;
  if (cache === undefined) return { out: linear(p.o_proj, attended(parts, options)) };
  const headWidth = (parts[0].shape[2] as number) / heads;
  const sizes = { heads, kvHeads, headWidth, total: cache.total };
  const { out, key, value } = cachedAttention(parts, cache, sizes);
  return { out: linear(p.o_proj, out), present: { key, value } };
};
