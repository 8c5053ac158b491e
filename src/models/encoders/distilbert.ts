/**
 * DistilBERT (Sanh et al. 2019, https://arxiv.org/abs/1910.01108): BERT without token types and pooler.
 * Weight names and config fields are those of Hugging Face's DistilBertForMaskedLM and its kin.
 */
import type { Value } from "../../ir/op.ts";
import { type ActivationName, activations } from "../../nn/activations.ts";
import { layerInput } from "../../nn/blocks.ts";
import { dropout } from "../../nn/dropout.ts";
import { type EncoderParts, encoderBlock, paddingMask } from "../../nn/encoderBlock.ts";
import { embed, type Linear, linear, project } from "../../nn/linear.ts";
import { type Norm, norm, normSpec } from "../../nn/norm.ts";
import { dense, normal, type Param, type ParamSpec, param, type Weight, zerosInit } from "../../nn/param.ts";
import { add, relu } from "../../ops/elementwise.ts";
import type { Tree } from "../../util/tree.ts";
import { checkFields, flagField, intField, numberField, oneOf } from "../config.ts";
import { architecturesField, headOf } from "../head.ts";
import { type LinearNames, linearsOf } from "../linears.ts";
import type { Architecture, Inputs, Outputs } from "../model.ts";
import {
  checkHeads,
  countedPositions,
  type EncoderConfig,
  type EncoderHead,
  encoderLabels,
  firstToken,
  labelCount,
  linearSpec,
  noCache,
  refuseVariants,
} from "./encoder.ts";

// B batch, T time, C channels, V vocabulary

/** Hugging Face fixes it for this family. */
const EPSILON = 1e-12;

/** config.json of a DistilBERT. */
export interface DistilBertConfig extends EncoderConfig {
  readonly model_type: "distilbert";
  readonly dim: number;
  readonly n_layers: number;
  readonly n_heads: number;
  readonly hidden_dim: number;
  readonly activation: ActivationName;
  readonly dropout: number;
  readonly attention_dropout: number;
  readonly seq_classif_dropout: number;
  readonly max_position_embeddings: number;
  readonly initializer_range: number;
}

/** One layer: attention with its norm, MLP with its norm. */
export type DistilBertLayer<T> = {
  attention: { q_lin: Linear<T>; k_lin: Linear<T>; v_lin: Linear<T>; out_lin: Linear<T> };
  sa_layer_norm: Norm<T>;
  ffn: { lin1: Linear<T>; lin2: Linear<T> };
  output_layer_norm: Norm<T>;
};

/** The body and the head of one task; none for features. */
export type DistilBertParams<T> = {
  distilbert: {
    embeddings: {
      word_embeddings: { weight: T };
      position_embeddings: { weight: T };
      LayerNorm: Norm<T>;
    };
    transformer: { layer: DistilBertLayer<T>[] };
  };
  vocab_transform?: Linear<T>;
  vocab_layer_norm?: Norm<T>;
  /** Its weight is the embedding's where tied. */
  vocab_projector?: { weight?: T; bias: T };
  pre_classifier?: Linear<T>;
  classifier?: Linear<T>;
};

const classes: Readonly<Record<EncoderHead, string>> = {
  "masked-lm": "DistilBertForMaskedLM",
  "sequence-classification": "DistilBertForSequenceClassification",
  "token-classification": "DistilBertForTokenClassification",
  features: "DistilBertModel",
};

const taskFor = (c: DistilBertConfig): EncoderHead => headOf({ classes }, c) as EncoderHead;

const aliases = {
  hidden_size: "dim",
  num_attention_heads: "n_heads",
  num_hidden_layers: "n_layers",
} as const;

const parse = (json: unknown): DistilBertConfig => {
  const f = checkFields(json, "distilbert", aliases);
  refuseVariants(f);
  const architectures = architecturesField(f, classes);
  const config: DistilBertConfig = {
    model_type: "distilbert",
    architectures,
    tie_word_embeddings: flagField(f, "tie_word_embeddings", true),
    vocab_size: intField(f, "vocab_size", 30522),
    dim: intField(f, "dim", 768),
    n_layers: intField(f, "n_layers", 6),
    n_heads: intField(f, "n_heads", 12),
    hidden_dim: intField(f, "hidden_dim", 3072),
    activation: oneOf(f, "activation", activations, "gelu"),
    dropout: numberField(f, "dropout", 0.1, 0, 1),
    attention_dropout: numberField(f, "attention_dropout", 0.1, 0, 1),
    seq_classif_dropout: numberField(f, "seq_classif_dropout", 0.2, 0, 1),
    max_position_embeddings: intField(f, "max_position_embeddings", 512),
    initializer_range: numberField(f, "initializer_range", 0.02, 0, 10),
    pad_token_id: intField(f, "pad_token_id", 0, 0),
    ...encoderLabels(f, headOf({ classes }, { model_type: "", architectures, vocab_size: 1 })),
  };
  checkHeads(config.dim, config.n_heads, "n_heads");
  return config;
};

const layerSpec = (c: DistilBertConfig): DistilBertLayer<ParamSpec> => {
  const square = () => linearSpec(c.dim, c.dim, c.initializer_range);
  return {
    attention: { q_lin: square(), k_lin: square(), v_lin: square(), out_lin: square() },
    sa_layer_norm: normSpec(c.dim),
    ffn: {
      lin1: linearSpec(c.dim, c.hidden_dim, c.initializer_range),
      lin2: linearSpec(c.hidden_dim, c.dim, c.initializer_range),
    },
    output_layer_norm: normSpec(c.dim),
  };
};

const headSpec = (c: DistilBertConfig): Omit<DistilBertParams<ParamSpec>, "distilbert"> => {
  const square = linearSpec(c.dim, c.dim, c.initializer_range);
  const classifier = linearSpec(c.dim, labelCount(c), c.initializer_range);
  const heads: Readonly<Record<EncoderHead, Omit<DistilBertParams<ParamSpec>, "distilbert">>> = {
    "masked-lm": {
      vocab_transform: square,
      vocab_layer_norm: normSpec(c.dim),
      vocab_projector: c.tie_word_embeddings
        ? { bias: param([c.vocab_size], zerosInit) }
        : linearSpec(c.dim, c.vocab_size, c.initializer_range),
    },
    "sequence-classification": { pre_classifier: square, classifier },
    "token-classification": { classifier },
    features: {},
  };
  return heads[taskFor(c)];
};

const params = (c: DistilBertConfig): DistilBertParams<ParamSpec> => {
  const table = (rows: number) => ({ weight: param([rows, c.dim], normal(c.initializer_range)) });
  return {
    distilbert: {
      embeddings: {
        word_embeddings: table(c.vocab_size),
        position_embeddings: table(c.max_position_embeddings),
        LayerNorm: normSpec(c.dim),
      },
      transformer: { layer: Array.from({ length: c.n_layers }, () => layerSpec(c)) },
    },
    ...headSpec(c),
  };
};

const partsOf = (p: DistilBertLayer<Param>): EncoderParts<Param> => ({
  query: p.attention.q_lin,
  key: p.attention.k_lin,
  value: p.attention.v_lin,
  attended: p.attention.out_lin,
  attendedNorm: p.sa_layer_norm,
  inner: p.ffn.lin1,
  outer: p.ffn.lin2,
  outerNorm: p.output_layer_norm,
});

/** [B, T] -> [B, T, C] */
const body = ({ distilbert }: DistilBertParams<Param>, inputs: Inputs, c: DistilBertConfig): Value => {
  const { attentionMask, dropoutSeed: seed } = inputs;
  const { word_embeddings, position_embeddings, LayerNorm } = distilbert.embeddings;
  const positions = embed(position_embeddings.weight, countedPositions(inputs, c.max_position_embeddings));
  const embedded = norm(LayerNorm, add(embed(word_embeddings.weight, inputs.inputIds), positions), EPSILON);
  const mask = attentionMask === undefined ? {} : { mask: paddingMask(attentionMask) };
  let x = dropout(embedded, c.dropout, "embeddings", seed);
  distilbert.transformer.layer.forEach((layer, i) => {
    const rates = { probs: c.attention_dropout, attended: 0, outer: c.dropout };
    x = encoderBlock(partsOf(layer), layerInput(inputs, x), {
      heads: c.n_heads,
      epsilon: EPSILON,
      activation: activations[c.activation],
      ...mask,
      dropout: { ...rates, site: `layer.${i}`, ...(seed === undefined ? {} : { seed }) },
    });
  });
  return x;
};

const forward = (tree: Tree<Param>, inputs: Inputs, c: DistilBertConfig): Outputs => {
  const p = tree as DistilBertParams<Param>;
  const hidden = body(p, inputs, c);
  const drop = (x: Value, rate: number) => dropout(x, rate, "classifier", inputs.dropoutSeed);
  if (p.vocab_transform !== undefined) {
    const transform = p.vocab_transform;
    const readout = (x: Value): Value => {
      const ready = norm(p.vocab_layer_norm!, activations[c.activation](linear(transform, x)), EPSILON);
      const { weight, bias } = p.vocab_projector!;
      return project(weight ?? p.distilbert.embeddings.word_embeddings.weight, ready, dense(bias));
    };
    return { hidden, logits: readout(hidden), readout, present: [] };
  }
  const logits = () => {
    if (p.classifier === undefined) return hidden;
    if (p.pre_classifier === undefined) return linear(p.classifier, drop(hidden, c.dropout));
    const pooled = relu(linear(p.pre_classifier, firstToken(hidden)));
    return linear(p.classifier, drop(pooled, c.seq_classif_dropout));
  };
  return { hidden, logits: logits(), present: [] };
};

const roles: LinearNames["roles"] = {
  word_embeddings: "embedding",
  position_embeddings: "position",
  q_lin: "q",
  k_lin: "k",
  v_lin: "v",
  out_lin: "o",
  lin1: "up",
  lin2: "down",
  vocab_transform: "transform",
  vocab_projector: "head",
  pre_classifier: "transform",
  classifier: "labels",
};

/** DistilBERT: masked language model, classifier of texts or tokens, or features. */
export const distilbert: Architecture<DistilBertConfig, DistilBertParams<ParamSpec>> = {
  name: "distilbert",
  kind: "encoder",
  classes,
  base: "distilbert",
  rename: (name, c) => {
    if (/(^|\.)embeddings\.position_ids$/.test(name)) return null;
    if (/^vocab_/.test(name) && taskFor(c) !== "masked-lm") return null;
    return name
      .replace(/LayerNorm\.gamma$/, "LayerNorm.weight")
      .replace(/LayerNorm\.beta$/, "LayerNorm.bias");
  },
  tied: (c): Readonly<Record<string, string>> =>
    c.tie_word_embeddings ? { "vocab_projector.weight": "distilbert.embeddings.word_embeddings.weight" } : {},
  parse,
  params,
  forward,
  cache: (c) =>
    noCache({
      vocab: c.vocab_size,
      layers: c.n_layers,
      heads: c.n_heads,
      width: c.dim,
      positions: c.max_position_embeddings,
    }),
  keepLayers: (config, weights, layers) => {
    const tree = weights as DistilBertParams<Weight>;
    const layer = layers.map((i) => tree.distilbert.transformer.layer[i]!);
    const kept = { ...tree, distilbert: { ...tree.distilbert, transformer: { layer } } };
    return { config: { ...config, n_layers: layers.length }, weights: kept };
  },
  widths: { neurons: { "": "hidden_dim" } },
  linears: (c) => {
    const isTied = c.tie_word_embeddings && taskFor(c) === "masked-lm";
    const tied = { path: "distilbert.embeddings.word_embeddings.weight", bias: "vocab_projector.bias" };
    return linearsOf(params(c), { roles, head: isTied ? tied : undefined });
  },
};

/** The config of a new model: no dropout unless told. */
export const distilBertConfig = (
  fields: Partial<DistilBertConfig> & { vocab_size: number },
): DistilBertConfig =>
  parse({ model_type: "distilbert", dropout: 0, attention_dropout: 0, seq_classif_dropout: 0, ...fields });
