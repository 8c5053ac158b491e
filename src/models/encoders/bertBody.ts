/**
 * The body of BERT, RoBERTa and ELECTRA, which differ in how they count positions, in their heads, and in
 * whether embeddings are of a width of their own. Weight names and config fields are those of Hugging Face's
 * BertModel. A padding token that other tokens see (where no attention mask is given) learns here; torch's
 * padding_idx keeps its embedding.
 */
import { constant, type Value } from "../../ir/op.ts";
import { tensorOf } from "../../ir/tensor.ts";
import { type ActivationName, activations } from "../../nn/activations.ts";
import { layerInput } from "../../nn/blocks.ts";
import { dropout } from "../../nn/dropout.ts";
import { type EncoderParts, encoderBlock, paddingMask } from "../../nn/encoderBlock.ts";
import { embed, type Linear, linear } from "../../nn/linear.ts";
import { type Norm, norm, normSpec } from "../../nn/norm.ts";
import { normal, type Param, type ParamSpec, param, type Weight } from "../../nn/param.ts";
import { add } from "../../ops/elementwise.ts";
import type { Tree } from "../../util/tree.ts";
import { checkFields, flagField, intField, numberField, oneOf } from "../config.ts";
import { architecturesField, headOf } from "../head.ts";
import type { LinearNames } from "../linears.ts";
import type { Architecture, CacheShape, Inputs } from "../model.ts";
import {
  checkHeads,
  type EncoderConfig,
  encoderLabels,
  linearSpec,
  noCache,
  refuseVariants,
} from "./encoder.ts";

// B batch, T time, C channels

/** The config fields of BERT, RoBERTa and ELECTRA. */
export interface BertFields extends EncoderConfig {
  /** Width of the embeddings, which are projected where it is not the layers'; ELECTRA's alone. */
  readonly embedding_size?: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly intermediate_size: number;
  readonly hidden_act: ActivationName;
  readonly hidden_dropout_prob: number;
  readonly attention_probs_dropout_prob: number;
  readonly classifier_dropout: number | null;
  readonly max_position_embeddings: number;
  readonly type_vocab_size: number;
  readonly initializer_range: number;
  readonly layer_norm_eps: number;
}

/** The sizes of a body, which has no cache; `positions` tokens unless the family counts otherwise. */
export const bertSizes = (
  c: Pick<BertFields, "vocab_size" | "num_hidden_layers" | "num_attention_heads" | "hidden_size">,
  positions: number,
): CacheShape =>
  noCache({
    vocab: c.vocab_size,
    layers: c.num_hidden_layers,
    heads: c.num_attention_heads,
    width: c.hidden_size,
    positions,
  });

/** One layer: attention with its norm, MLP with its norm. */
export type BertLayer<T> = {
  attention: {
    self: { query: Linear<T>; key: Linear<T>; value: Linear<T> };
    output: { dense: Linear<T>; LayerNorm: Norm<T> };
  };
  intermediate: { dense: Linear<T> };
  output: { dense: Linear<T>; LayerNorm: Norm<T> };
};

/** Embeddings, layers, and the pooler where a head reads it. */
export type BertBody<T> = {
  embeddings: {
    word_embeddings: { weight: T };
    position_embeddings: { weight: T };
    token_type_embeddings: { weight: T };
    LayerNorm: Norm<T>;
  };
  /** Where embeddings are of another width than the layers. */
  embeddings_project?: Linear<T>;
  encoder: { layer: BertLayer<T>[] };
  pooler?: { dense: Linear<T> };
};

/** What differs between the two families' configs. */
export interface BertDefaults {
  readonly model_type: string;
  readonly vocab: number;
  readonly positions: number;
  readonly types: number;
  readonly pad: number;
}

/** The fields of `json`, checked; throws ConfigError naming the field. */
export const bertFields = (
  json: unknown,
  defaults: BertDefaults,
  classes: Architecture["classes"],
): BertFields => {
  const f = checkFields(json, defaults.model_type);
  refuseVariants(f);
  const architectures = architecturesField(f, classes);
  const config: BertFields = {
    model_type: defaults.model_type,
    architectures,
    tie_word_embeddings: flagField(f, "tie_word_embeddings", true),
    vocab_size: intField(f, "vocab_size", defaults.vocab),
    hidden_size: intField(f, "hidden_size", 768),
    num_hidden_layers: intField(f, "num_hidden_layers", 12),
    num_attention_heads: intField(f, "num_attention_heads", 12),
    intermediate_size: intField(f, "intermediate_size", 3072),
    hidden_act: oneOf(f, "hidden_act", activations, "gelu"),
    hidden_dropout_prob: numberField(f, "hidden_dropout_prob", 0.1, 0, 1),
    attention_probs_dropout_prob: numberField(f, "attention_probs_dropout_prob", 0.1, 0, 1),
    classifier_dropout: f.classifier_dropout == null ? null : numberField(f, "classifier_dropout", 0, 0, 1),
    max_position_embeddings: intField(f, "max_position_embeddings", defaults.positions),
    type_vocab_size: intField(f, "type_vocab_size", defaults.types),
    initializer_range: numberField(f, "initializer_range", 0.02, 0, 10),
    layer_norm_eps: numberField(f, "layer_norm_eps", 1e-12, 0, 1),
    pad_token_id: intField(f, "pad_token_id", defaults.pad, 0),
    ...encoderLabels(f, headOf({ classes }, { model_type: "", architectures, vocab_size: 1 })),
  };
  checkHeads(config.hidden_size, config.num_attention_heads, "num_attention_heads");
  return config;
};

const layerSpec = (c: BertFields): BertLayer<ParamSpec> => {
  const [width, std] = [c.hidden_size, c.initializer_range];
  const square = () => linearSpec(width, width, std);
  return {
    attention: {
      self: { query: square(), key: square(), value: square() },
      output: { dense: square(), LayerNorm: normSpec(width) },
    },
    intermediate: { dense: linearSpec(width, c.intermediate_size, std) },
    output: { dense: linearSpec(c.intermediate_size, width, std), LayerNorm: normSpec(width) },
  };
};

/** Type and first values of the body's weights; with a pooler where `pooler`. */
export const bertBodySpec = (c: BertFields, pooler: boolean): BertBody<ParamSpec> => {
  const [width, std] = [c.hidden_size, c.initializer_range];
  const { embedding_size: narrow = width } = c;
  const table = (rows: number) => ({ weight: param([rows, narrow], normal(std)) });
  return {
    embeddings: {
      word_embeddings: table(c.vocab_size),
      position_embeddings: table(c.max_position_embeddings),
      token_type_embeddings: table(c.type_vocab_size),
      LayerNorm: normSpec(narrow),
    },
    ...(narrow === width ? {} : { embeddings_project: linearSpec(narrow, width, std) }),
    encoder: { layer: Array.from({ length: c.num_hidden_layers }, () => layerSpec(c)) },
    ...(pooler ? { pooler: { dense: linearSpec(width, width, std) } } : {}),
  };
};

const partsOf = ({ attention, intermediate, output }: BertLayer<Param>): EncoderParts<Param> => ({
  ...attention.self,
  attended: attention.output.dense,
  attendedNorm: attention.output.LayerNorm,
  inner: intermediate.dense,
  outer: output.dense,
  outerNorm: output.LayerNorm,
});

/** Every text is of type 0 unless told. */
const typesOf = (inputs: Inputs): Value => inputs.tokenTypeIds ?? constant(tensorOf("int32", [1], [0]));

/** Ids [B, T] and their positions [T] or [B, T] -> the last layer's result [B, T, C]. */
export const bertBody = (p: BertBody<Param>, inputs: Inputs, c: BertFields, positions: Value): Value => {
  const { inputIds, attentionMask, dropoutSeed: seed } = inputs;
  const mask = attentionMask === undefined ? {} : { mask: paddingMask(attentionMask) };
  const { word_embeddings, position_embeddings, token_type_embeddings, LayerNorm } = p.embeddings;
  const typed = add(
    embed(word_embeddings.weight, inputIds),
    embed(token_type_embeddings.weight, typesOf(inputs)),
  );
  const embedded = norm(
    LayerNorm,
    add(typed, embed(position_embeddings.weight, positions)),
    c.layer_norm_eps,
  );
  const dropped = dropout(embedded, c.hidden_dropout_prob, "embeddings", seed);
  let x = p.embeddings_project === undefined ? dropped : linear(p.embeddings_project, dropped);
  p.encoder.layer.forEach((layer, i) => {
    x = encoderBlock(partsOf(layer), layerInput(inputs, x), {
      heads: c.num_attention_heads,
      epsilon: c.layer_norm_eps,
      activation: activations[c.hidden_act],
      ...mask,
      dropout: {
        probs: c.attention_probs_dropout_prob,
        attended: c.hidden_dropout_prob,
        outer: c.hidden_dropout_prob,
        site: `layer.${i}`,
        ...(seed === undefined ? {} : { seed }),
      },
    });
  });
  return x;
};

/** Dropout in front of a classifier. */
export const classifierDrop = (c: BertFields, seed: Value | undefined) => (x: Value, site: string) =>
  dropout(x, c.classifier_dropout ?? c.hidden_dropout_prob, `classifier.${site}`, seed);

/** The roles of the body's matrices. */
export const bertRoles: LinearNames["roles"] = {
  word_embeddings: "embedding",
  position_embeddings: "position",
  token_type_embeddings: "position",
  query: "q",
  key: "k",
  value: "v",
  "attention.output.dense": "o",
  "intermediate.dense": "up",
  "output.dense": "down",
};

/** The same model with only these layers. */
export const keepBertLayers = <C extends BertFields>(
  base: string,
  config: C,
  weights: Tree<Weight>,
  layers: readonly number[],
): { config: C; weights: Tree<Weight> } => {
  const tree = weights as { [key: string]: BertBody<Weight> };
  const body = tree[base]!;
  const layer = layers.map((i) => body.encoder.layer[i]!);
  const kept = { ...tree, [base]: { ...body, encoder: { layer } } };
  return {
    config: { ...config, num_hidden_layers: layers.length },
    weights: kept,
  };
};

/** What both families rename: TensorFlow's names of norms; null for buffers. */
export const renameBert = (name: string): string | null => {
  if (/(^|\.)embeddings\.(position_ids|token_type_ids)$/.test(name)) return null;
  return name.replace(/LayerNorm\.gamma$/, "LayerNorm.weight").replace(/LayerNorm\.beta$/, "LayerNorm.bias");
};
