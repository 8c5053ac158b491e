/**
 * Sentence embeddings: one vector of a text's hidden states (Reimers and Gurevych 2019,
 * https://arxiv.org/abs/1908.10084), by the modules Pooling and Normalize of sentence-transformers
 * (https://sbert.net/docs/package_reference/sentence_transformer/modules.html).
 */
import type { Value } from "../ir/op.ts";
import { cast, div, equal, maximum, mul, sqrt, where } from "../ops/elementwise.ts";
import { reduceMax } from "../ops/reduce.ts";
import { reshape, sum, transpose } from "../ops/structure.ts";
import { lastToken } from "./decoders/head.ts";
import { firstToken } from "./encoders/encoder.ts";
import type { Pooling, PoolingMode } from "./model.ts";

// B batch, T time, C channels

/** What stands in for hidden states of padding where the largest is sought. */
const NEVER = -1e9;

/** mask [B, T] -> [B, T, 1] */
const columnOf = (mask: Value): Value => reshape(mask, [...mask.shape, 1]);

const poolings: Readonly<Record<PoolingMode, (hidden: Value, mask: Value) => Value>> = {
  mean: (hidden, mask) => {
    const counts = cast(columnOf(mask), hidden.dtype);
    return div(sum(mul(hidden, counts), [1]), maximum(sum(counts, [1]), 1e-9));
  },
  // Where padding is on the left, the first token is none of the text: encoders pad on the right.
  cls: (hidden) => firstToken(hidden),
  max: (hidden, mask) => {
    const [b, , c] = hidden.shape;
    const counted = where(equal(columnOf(mask), 0), NEVER, hidden);
    return reshape(reduceMax(transpose(counted, [0, 2, 1])), [b!, c!]);
  },
  lasttoken: (hidden, mask) => lastToken(hidden, { inputIds: mask, attentionMask: mask }, null),
};

/** The names of the ways to pool. */
export const poolingModes = Object.keys(poolings) as readonly PoolingMode[];

/** How an encoder's texts become vectors where nothing says otherwise, as most embedding models do it. */
export const usualPooling: Pooling = { mode: "mean", normalize: true };

/** v / max(|v|, 1e-12) of each row: [..., C] -> [..., C]; the root is of no 0, at which it has no slope. */
export const unitRows = (vectors: Value): Value =>
  div(vectors, sqrt(maximum(sum(mul(vectors, vectors), [-1], true), 1e-24)));

/**
 * hidden [B, T, C], mask [B, T] (1 where a token counts, 0 where there is padding) -> [B, C]: the mean or the
 * largest over the tokens that count, the first or the last of them; of length 1 where `normalize`.
 */
export const sentenceEmbedding = (hidden: Value, mask: Value, { mode, normalize }: Pooling): Value => {
  const pooled = poolings[mode](hidden, mask);
  return normalize ? unitRows(pooled) : pooled;
};
