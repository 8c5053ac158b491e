/**
 * Attention against a cache for heads of any width. The kernel takes multiples of 8; other heads get zeros
 * behind them, in the cache too, which change no score and no result.
 */
import type { Value } from "../../ir/op.ts";
import type { Dim } from "../../ir/tensor.ts";
import { type CacheInputs, cachedAttend, type Projections } from "../../ops/attention.ts";
import { pad, reshape, slice } from "../../ops/structure.ts";

// B batch, T time, H query heads, K key heads, D head width, W the cache's width

/** The width of a cache for heads of `headWidth`. */
export const cacheWidth = (headWidth: number): number => 8 * Math.ceil(headWidth / 8);

/** Heads, widths and lengths of attention against a cache. */
export interface CachedAttentionOptions {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headWidth: number;
  /** Factor of the scores; D^-0.5 unless told. */
  readonly scale?: number;
  /** The cache's length after this call. */
  readonly total: Dim;
}

/** [B, T, count D] -> [B, T, count W] */
const widened = (x: Value, count: number, [from, to]: readonly [number, number]): Value => {
  const [b, t] = x.shape;
  const wide = pad(reshape(x, [b!, t!, count, from]), 3, 0, to - from);
  return reshape(wide, [b!, t!, count * to]);
};

/** [B, T, count W] -> [B, T, count D] */
const narrowed = (x: Value, count: number, [from, to]: readonly [number, number]): Value => {
  const [b, t] = x.shape;
  const narrow = slice(reshape(x, [b!, t!, count, to]), 3, 0, from);
  return reshape(narrow, [b!, t!, count * from]);
};

/**
 * Query, key and value, packed [B, T, (H + 2 K) D] or apart, and a cache [B, K, S, W] -> out [B, T, H D] and
 * the grown cache. Inference only.
 */
export const cachedAttention = (
  given: Value | Projections,
  cache: CacheInputs,
  { heads, kvHeads, headWidth, scale = 1 / Math.sqrt(headWidth), total }: CachedAttentionOptions,
): { readonly out: Value; readonly key: Value; readonly value: Value } => {
  const widths = [headWidth, cacheWidth(headWidth)] as const;
  const options = { heads, kvHeads, total, scale };
  if (widths[0] === widths[1]) return cachedAttend(given, cache, options);
  const wide =
    "node" in given
      ? widened(given, heads + 2 * kvHeads, widths)
      : ([
          widened(given[0], heads, widths),
          widened(given[1], kvHeads, widths),
          widened(given[2], kvHeads, widths),
        ] as const);
  const { out, key, value } = cachedAttend(wide, cache, options);
  return { out: narrowed(out!, heads, widths), key: key!, value: value! };
};
