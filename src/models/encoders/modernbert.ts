/**
 * ModernBERT (Warner et al. 2024, https://arxiv.org/abs/2412.13663): pre-norm encoder with rotary positions,
 * gated MLPs, and layers whose tokens see their neighbours alone. Weight names and config fields are those of
 * Hugging Face's ModernBertForMaskedLM and its kin.
 */
import { constant, type Value } from "../../ir/op.ts";
import { tensorOf } from "../../ir/tensor.ts";
import { activations } from "../../nn/activations.ts";
import { dotProductAttention, joinHeads, splitHeads } from "../../nn/attention/dotProductAttention.ts";
import { ropeTables } from "../../nn/attention/rope.ts";
import { layerInput } from "../../nn/blocks.ts";
import { dropout } from "../../nn/dropout.ts";
import { paddingMask } from "../../nn/encoderBlock.ts";
import { embed, linear, project } from "../../nn/linear.ts";
import { dense, type Param, type ParamSpec, type Weight } from "../../nn/param.ts";
import { abs, add, cast, greater, minimum, mul, sub, where } from "../../ops/elementwise.ts";
import { layerNorm, mean } from "../../ops/reduce.ts";
import { type RotaryTables, rotary } from "../../ops/rotary.ts";
import { reshape, split } from "../../ops/structure.ts";
import type { Tree } from "../../util/tree.ts";
import { type LinearNames, linearsOf } from "../linears.ts";
import type { Architecture, Inputs, Outputs } from "../model.ts";
import { sentenceEmbedding } from "../pooling.ts";
import { positionsOf } from "../seq2seq/seq2seq.ts";
import { bertSizes } from "./bertBody.ts";
import { checkLength, type EncoderHead, firstToken } from "./encoder.ts";
import { classes, type ModernBertConfig, parseModernBert, typesField } from "./modernbertConfig.ts";
import {
  type ModernBertLayer,
  type ModernBertParams,
  params,
  type Scale,
  taskFor,
} from "./modernbertParams.ts";

// B batch, T time, C channels, H heads

/** [..., C] -> [..., C] */
const scaled = ({ weight, bias }: Scale<Param>, x: Value, c: ModernBertConfig): Value => {
  const zeros = () =>
    constant(tensorOf("float32", [c.hidden_size], new Array<number>(c.hidden_size).fill(0)));
  return layerNorm(x, dense(weight), bias === undefined ? zeros() : dense(bias), c.norm_eps);
};

/** What the layers of one type share. */
interface Sight {
  /** Additive, broadcasts to [B, H, T, T]. */
  readonly mask?: Value | undefined;
  readonly tables: RotaryTables;
}

/** Additive [1, 1, T, T]: hides what is further than `reach` tokens away. */
const neighbours = (positions: Value, reach: number): Value => {
  const t = positions.shape[0]!;
  const apart = abs(sub(reshape(positions, [1, 1, t, 1]), reshape(positions, [1, 1, 1, t])));
  return where(greater(apart, reach), -1e9, 0);
};

/** How tokens see each other in each type of layer. Positions count from 0, whatever the padding. */
const sightsOf = (inputs: Inputs, positions: Value, c: ModernBertConfig) => {
  const length = inputs.inputIds.shape[1]!;
  const rows = typeof length === "number" ? length : c.max_position_embeddings;
  const tables = (rope_theta: number): RotaryTables => {
    const { cos, sin } = ropeTables(rows, c.hidden_size / c.num_attention_heads, {
      rope_theta,
      rope_scaling: null,
    });
    return { cos: constant(cos), sin: constant(sin) };
  };
  const padding = inputs.attentionMask && paddingMask(inputs.attentionMask);
  const near = neighbours(positions, Math.floor(c.local_attention / 2));
  return {
    full_attention: { mask: padding, tables: tables(c.global_rope_theta) },
    // Not their sum: a token of padding that sees nothing else sees all alike, as in the reference.
    sliding_attention: {
      mask: padding === undefined ? near : minimum(near, padding),
      tables: tables(c.local_rope_theta),
    },
  } satisfies Readonly<Record<string, Sight>>;
};

/** Positions [T] as rotary takes them: [B, T] where the batch is not fixed. */
const ofEachToken = (positions: Value, ids: Value): Value =>
  typeof ids.shape[0] === "number"
    ? positions
    : add(reshape(positions, [1, positions.shape[0]!]), mul(cast(ids, "int64"), 0));

/** What the parts of a layer are computed with. */
interface LayerOptions {
  readonly sight: Sight;
  readonly positions: Value;
  readonly c: ModernBertConfig;
  readonly drop: (x: Value, rate: number, part: string) => Value;
}

/** [B, T, C] -> [B, T, C] */
const attention = (
  p: ModernBertLayer<Param>["attn"],
  x: Value,
  { sight, positions, c, drop }: LayerOptions,
): Value => {
  const heads = c.num_attention_heads;
  const [q, k, v] = split(linear(p.Wqkv, x), 2, 3) as [Value, Value, Value];
  const turned = (part: Value): Value => splitHeads(rotary(part, positions, sight.tables, heads), heads);
  const context = dotProductAttention(turned(q), turned(k), splitHeads(v, heads), {
    mask: sight.mask,
    ...(c.attention_dropout > 0
      ? { dropProbs: (probs: Value) => drop(probs, c.attention_dropout, "attn") }
      : {}),
  });
  return drop(linear(p.Wo, joinHeads(context)), c.attention_dropout, "attn.out");
};

/** Wo(activation(input) * gate), both of Wi: [B, T, C] -> [B, T, C] */
const gated = (p: ModernBertLayer<Param>["mlp"], x: Value, { c, drop }: LayerOptions): Value => {
  const [input, gate] = split(linear(p.Wi, x), 2, 2) as [Value, Value];
  return linear(p.Wo, drop(mul(activations[c.hidden_activation](input), gate), c.mlp_dropout, "mlp"));
};

/** [B, T] -> [B, T, C] */
const body = (p: ModernBertParams<Param>["model"], inputs: Inputs, c: ModernBertConfig): Value => {
  const { inputIds, dropoutSeed: seed } = inputs;
  checkLength(inputIds, c.max_position_embeddings);
  const counted = positionsOf(inputIds);
  const positions = inputs.positionIds ?? ofEachToken(counted, inputIds);
  const sights = sightsOf(inputs, counted, c);
  const words = scaled(p.embeddings.norm, embed(p.embeddings.tok_embeddings.weight, inputIds), c);
  let x = dropout(words, c.embedding_dropout, "embeddings", seed);
  p.layers.forEach((layer, i) => {
    x = layerInput(inputs, x);
    const options: LayerOptions = {
      sight: sights[c.layer_types[i]!],
      positions,
      c,
      drop: (v, rate, part) => (seed === undefined ? v : dropout(v, rate, `layer.${i}.${part}`, seed)),
    };
    const normed = layer.attn_norm === undefined ? x : scaled(layer.attn_norm, x, c);
    x = add(x, attention(layer.attn, normed, options));
    x = add(x, gated(layer.mlp, scaled(layer.mlp_norm, x, c), options));
  });
  return scaled(p.final_norm, x, c);
};

/** [B, T, C] -> [B, C]: the first token, or the mean of those that count. */
const pooled = (hidden: Value, { attentionMask }: Inputs, c: ModernBertConfig): Value => {
  if (c.classifier_pooling === "cls") return firstToken(hidden);
  if (attentionMask === undefined) return mean(hidden, [1]);
  return sentenceEmbedding(hidden, attentionMask, { mode: "mean", normalize: false });
};

const forward = (tree: Tree<Param>, inputs: Inputs, c: ModernBertConfig): Outputs => {
  const p = tree as ModernBertParams<Param>;
  const hidden = body(p.model, inputs, c);
  const { head, decoder, classifier } = p;
  if (head === undefined) return { hidden, logits: hidden, present: [] };
  const ready = (x: Value): Value =>
    scaled(head.norm, activations[c.classifier_activation](linear(head.dense, x)), c);
  if (classifier === undefined) {
    const weight = decoder?.weight ?? p.model.embeddings.tok_embeddings.weight;
    const bias = decoder?.bias === undefined ? undefined : dense(decoder.bias);
    const readout = (x: Value): Value => project(weight, ready(x), bias);
    return { hidden, logits: readout(hidden), readout, present: [] };
  }
  const read = taskFor(c) === "sequence-classification" ? pooled(hidden, inputs, c) : hidden;
  const told = dropout(ready(read), c.classifier_dropout, "classifier.in", inputs.dropoutSeed);
  return { hidden, logits: linear(classifier, told), present: [] };
};

const WORDS = "model.embeddings.tok_embeddings.weight";

const roles: LinearNames["roles"] = {
  tok_embeddings: "embedding",
  "attn.Wqkv": "qkv",
  "attn.Wo": "o",
  "mlp.Wi": "up",
  "mlp.Wo": "down",
  "head.dense": "transform",
  decoder: "head",
  classifier: "labels",
};

/** Parts of heads that a task has no use for. */
const foreign: Readonly<Record<EncoderHead, RegExp | undefined>> = {
  "masked-lm": /^classifier\./,
  "sequence-classification": /^decoder\./,
  "token-classification": /^decoder\./,
  features: /^(head|decoder|classifier)\./,
};

/**
 * A layer at place `at`. What the first one reads has been normalised: it has no norm of its own there, and
 * one that comes to stand behind others has one that scales nothing.
 */
const placed = (
  { attn_norm, ...rest }: ModernBertLayer<Weight>,
  at: number,
  c: ModernBertConfig,
): ModernBertLayer<Weight> => {
  if (at === 0) return rest;
  const filled = (value: number) =>
    tensorOf("float32", [c.hidden_size], new Array<number>(c.hidden_size).fill(value));
  const plain = { weight: filled(1), ...(c.norm_bias ? { bias: filled(0) } : {}) };
  return { attn_norm: attn_norm ?? plain, ...rest };
};

const headTied = (c: ModernBertConfig): boolean => c.tie_word_embeddings && taskFor(c) === "masked-lm";

/** ModernBERT: masked language model, classifier of texts or tokens, or features. */
export const modernbert: Architecture<ModernBertConfig, ModernBertParams<ParamSpec>> = {
  name: "modernbert",
  kind: "encoder",
  classes,
  base: "model",
  shared: ["head."],
  rename: (name, c) => (foreign[taskFor(c)]?.test(name) || /position_ids$/.test(name) ? null : name),
  tied: (c): Readonly<Record<string, string>> => (c.tie_word_embeddings ? { "decoder.weight": WORDS } : {}),
  parse: parseModernBert,
  params,
  forward,
  cache: (c) => bertSizes(c, c.max_position_embeddings),
  keepLayers: (config, weights, layers) => {
    const tree = weights as ModernBertParams<Weight>;
    const kept = layers.map((layer, i) => placed(tree.model.layers[layer]!, i, config));
    const { global_attn_every_n_layers: _, ...others } = config;
    const types = typesField(
      layers.map((i) => config.layer_types[i]!),
      config.global_attn_every_n_layers,
    );
    return {
      config: { ...others, ...types, num_hidden_layers: layers.length },
      weights: { ...tree, model: { ...tree.model, layers: kept } },
    };
  },
  // Gates and inputs of an MLP are rows of one matrix.
  widths: { neurons: {} },
  linears: (c) =>
    linearsOf(params(c), {
      roles,
      head: headTied(c) ? { path: WORDS, ...(c.decoder_bias ? { bias: "decoder.bias" } : {}) } : undefined,
    }),
};

/** The config of a new model; it has no dropout unless told. */
export const modernBertConfig = (
  fields: Partial<ModernBertConfig> & { vocab_size: number },
): ModernBertConfig => parseModernBert({ model_type: "modernbert", ...fields });
