/** The weights of a ModernBERT, and their first values. */
import type { Linear, Projection } from "../../nn/linear.ts";
import { normal, onesInit, type ParamSpec, param, zerosInit } from "../../nn/param.ts";
import { headOf } from "../head.ts";
import { type EncoderHead, labelCount, linearSpec } from "./encoder.ts";
import { classes, type ModernBertConfig } from "./modernbertConfig.ts";

/** A layer norm, with or without a shift. */
export type Scale<T> = { weight: T; bias?: T };

/** One layer; the first has no norm before its attention. */
export type ModernBertLayer<T> = {
  attn_norm?: Scale<T>;
  attn: { Wqkv: Projection<T>; Wo: Projection<T> };
  mlp_norm: Scale<T>;
  mlp: { Wi: Projection<T>; Wo: Projection<T> };
};
/** The body and the head of one task; none for features. */
export type ModernBertParams<T> = {
  model: {
    embeddings: { tok_embeddings: { weight: T }; norm: Scale<T> };
    layers: ModernBertLayer<T>[];
    final_norm: Scale<T>;
  };
  head?: { dense: Projection<T>; norm: Scale<T> };
  /** The matrix is the embedding where it is tied; there may be no bias. */
  decoder?: { weight?: T; bias?: T };
  classifier?: Linear<T>;
};

/** The task of the head that a config names. */
export const taskFor = (c: ModernBertConfig): EncoderHead => headOf({ classes }, c) as EncoderHead;

const scaleSpec = (c: ModernBertConfig): Scale<ParamSpec> => ({
  weight: param([c.hidden_size], onesInit),
  ...(c.norm_bias ? { bias: param([c.hidden_size], zerosInit) } : {}),
});

/** A torch Linear [N, K], with a bias where `bias`. */
const projectionSpec = (k: number, n: number, std: number, bias: boolean): Projection<ParamSpec> => ({
  weight: param([n, k], normal(std)),
  ...(bias ? { bias: param([n], zerosInit) } : {}),
});

/** Projections into the residual stream start smaller by sqrt(2 * layers), as in the reference. */
const layerSpec = (c: ModernBertConfig, layer: number): ModernBertLayer<ParamSpec> => {
  const { hidden_size: width, intermediate_size: inner, initializer_range: std } = c;
  const residual = std / Math.sqrt(2 * c.num_hidden_layers);
  return {
    ...(layer === 0 ? {} : { attn_norm: scaleSpec(c) }),
    attn: {
      Wqkv: projectionSpec(width, 3 * width, std, c.attention_bias),
      Wo: projectionSpec(width, width, residual, c.attention_bias),
    },
    mlp_norm: scaleSpec(c),
    mlp: {
      Wi: projectionSpec(width, 2 * inner, std, c.mlp_bias),
      Wo: projectionSpec(inner, width, residual, c.mlp_bias),
    },
  };
};

const decoderSpec = (c: ModernBertConfig): Pick<ModernBertParams<ParamSpec>, "decoder"> => {
  const decoder = {
    ...(c.tie_word_embeddings
      ? {}
      : { weight: param([c.vocab_size, c.hidden_size], normal(c.initializer_range)) }),
    ...(c.decoder_bias ? { bias: param([c.vocab_size], zerosInit) } : {}),
  };
  return Object.keys(decoder).length === 0 ? {} : { decoder };
};

const headSpec = (c: ModernBertConfig): Omit<ModernBertParams<ParamSpec>, "model"> => {
  const task = taskFor(c);
  const [width, std] = [c.hidden_size, c.initializer_range];
  if (task === "features") return {};
  const head = { dense: projectionSpec(width, width, std, c.classifier_bias), norm: scaleSpec(c) };
  if (task === "masked-lm") return { head, ...decoderSpec(c) };
  return { head, classifier: linearSpec(width, labelCount(c), std) };
};

/** Type and first values of the weights. */
export const params = (c: ModernBertConfig): ModernBertParams<ParamSpec> => ({
  model: {
    embeddings: {
      tok_embeddings: { weight: param([c.vocab_size, c.hidden_size], normal(c.initializer_range)) },
      norm: scaleSpec(c),
    },
    layers: Array.from({ length: c.num_hidden_layers }, (_, i) => layerSpec(c, i)),
    final_norm: scaleSpec(c),
  },
  ...headSpec(c),
});
