/**
 * The encoder block of BERT (Devlin et al. 2019, https://arxiv.org/abs/1810.04805): attention in both
 * directions and an MLP, each with its layer norm behind the residual sum. Families name the parts
 * differently; they hand them in by these names.
 */
import type { Value } from "../ir/op.ts";
import { add, equal, where } from "../ops/elementwise.ts";
import { reshape } from "../ops/structure.ts";
import { dotProductAttention, joinHeads, splitHeads } from "./attention/dotProductAttention.ts";
import { dropout } from "./dropout.ts";
import { type Linear, linear } from "./linear.ts";
import { type Norm, norm } from "./norm.ts";
import type { Param } from "./param.ts";

// B batch, T time, C channels, H heads, D head width

/** The weights of one block. */
export interface EncoderParts<T> {
  readonly query: Linear<T>;
  readonly key: Linear<T>;
  readonly value: Linear<T>;
  readonly attended: Linear<T>;
  readonly attendedNorm: Norm<T>;
  readonly inner: Linear<T>;
  readonly outer: Linear<T>;
  readonly outerNorm: Norm<T>;
}

/** What a block is computed with. */
export interface EncoderOptions {
  readonly heads: number;
  readonly epsilon: number;
  readonly activation: (x: Value) => Value;
  /** Additive, broadcasts to [B, H, T, T]: what `paddingMask` makes. */
  readonly mask?: Value;
  readonly dropout: {
    /** Rates for the attention's probabilities, its result and the MLP's. */
    readonly probs: number;
    readonly attended: number;
    readonly outer: number;
    /** Name of the block, so that each draws numbers of its own. */
    readonly site: string;
    readonly seed?: Value;
  };
}

/** 1 where a token counts and 0 where there is padding, [B, T] -> additive mask of the keys [B, 1, 1, T]. */
export const paddingMask = (attentionMask: Value): Value => {
  const [b, t] = attentionMask.shape;
  return reshape(where(equal(attentionMask, 0), -1e9, 0), [b!, 1, 1, t!]);
};

/** [B, T, C] -> [B, T, C]: every token sees every token that `mask` does not hide. */
const attention = (p: EncoderParts<Param>, x: Value, options: EncoderOptions): Value => {
  const { heads, mask, dropout: drop } = options;
  const part = (weights: Linear<Param>): Value => splitHeads(linear(weights, x), heads); // [B, H, T, D]
  const dropProbs = (probs: Value): Value => dropout(probs, drop.probs, `${drop.site}.attn`, drop.seed);
  const context = dotProductAttention(part(p.query), part(p.key), part(p.value), {
    mask,
    ...(drop.seed === undefined || drop.probs === 0 ? {} : { dropProbs }),
  });
  return linear(p.attended, joinHeads(context));
};

/** [B, T, C] -> [B, T, C] */
export const encoderBlock = (p: EncoderParts<Param>, x: Value, options: EncoderOptions): Value => {
  const { epsilon, activation, dropout: drop } = options;
  const attended = dropout(attention(p, x, options), drop.attended, `${drop.site}.attn.out`, drop.seed);
  const middle = norm(p.attendedNorm, add(attended, x), epsilon);
  const outer = linear(p.outer, activation(linear(p.inner, middle)));
  return norm(p.outerNorm, add(dropout(outer, drop.outer, `${drop.site}.mlp`, drop.seed), middle), epsilon);
};
