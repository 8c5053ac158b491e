/**
 * The decoder of Llama (Touvron et al. 2023, https://arxiv.org/abs/2302.13971) and its kin: pre-norm by root
 * mean square, rotary positions, grouped attention, gated MLP. The families differ in biases and norms of
 * queries and keys. Weight names and config fields are those of Hugging Face.
 */
import { constant, type Value } from "../../ir/op.ts";
import { tensorOf } from "../../ir/tensor.ts";
import { activations } from "../../nn/activations.ts";
import { cacheWidth } from "../../nn/attention/cachedAttention.ts";
import {
  type GroupedAttention,
  type GroupedOptions,
  groupedAttention,
} from "../../nn/attention/groupedAttention.ts";
import { ropeTables } from "../../nn/attention/rope.ts";
import { layerInput } from "../../nn/blocks.ts";
import { dropout } from "../../nn/dropout.ts";
import { type GatedMlp, gatedMlp } from "../../nn/gatedMlp.ts";
import { embed, type Projection, project } from "../../nn/linear.ts";
import { dense, normal, type Param, type ParamSpec, param, type Weight, zerosInit } from "../../nn/param.ts";
import { type RmsNorm, rmsNorm, rmsNormSpec } from "../../nn/rmsNorm.ts";
import { add } from "../../ops/elementwise.ts";
import { addRmsNorm } from "../../ops/rmsNorm.ts";
import { ConfigError } from "../../util/errors.ts";
import type { Tree } from "../../util/tree.ts";
import { checkLength } from "../encoders/encoder.ts";
import { headOf } from "../head.ts";
import { type LinearNames, linearsOf } from "../linears.ts";
import type { Architecture, Head, Inputs, Outputs } from "../model.ts";
import type { DecoderConfig } from "./config.ts";
import { causalPaddingMask, classifierSpec, classify } from "./head.ts";

// B batch, T time, C channels, V vocabulary, G query heads of a key, D head width

/** One layer: norm and attention, norm and MLP. */
export type DecoderLayer<T> = {
  self_attn: GroupedAttention<T>;
  mlp: GatedMlp<T>;
  input_layernorm: RmsNorm<T>;
  post_attention_layernorm: RmsNorm<T>;
};
/** The body and the head of one task; a tied head and features have none. */
export type DecoderParams<T> = {
  model: { embed_tokens: { weight: T }; layers: DecoderLayer<T>[]; norm: RmsNorm<T> };
  /** Absent where the head is tied to the embedding. */
  lm_head?: { weight: T };
  score?: Projection<T>;
};

/** What tells a family from another. */
export interface Family<C extends DecoderConfig> {
  readonly classes: Architecture["classes"];
  biases(config: C): { readonly qkv: boolean; readonly out: boolean; readonly mlp: boolean };
  /** Whether queries and keys are normalised head by head. */
  readonly normedHeads: boolean;
}

const layerSpec = <C extends DecoderConfig>(c: C, family: Family<C>): DecoderLayer<ParamSpec> => {
  const biases = family.biases(c);
  const matrix = (k: number, n: number, bias: boolean): Projection<ParamSpec> => ({
    weight: param([n, k], normal(c.initializer_range)),
    ...(bias ? { bias: param([n], zerosInit) } : {}),
  });
  const { hidden_size: width, intermediate_size: inner, head_dim: d } = c;
  const [queries, keys] = [c.num_attention_heads * d, c.num_key_value_heads * d];
  return {
    self_attn: {
      q_proj: matrix(width, queries, biases.qkv),
      k_proj: matrix(width, keys, biases.qkv),
      v_proj: matrix(width, keys, biases.qkv),
      o_proj: matrix(queries, width, biases.out),
      ...(family.normedHeads ? { q_norm: rmsNormSpec(d), k_norm: rmsNormSpec(d) } : {}),
    },
    mlp: {
      gate_proj: matrix(width, inner, biases.mlp),
      up_proj: matrix(width, inner, biases.mlp),
      down_proj: matrix(inner, width, biases.mlp),
    },
    input_layernorm: rmsNormSpec(width),
    post_attention_layernorm: rmsNormSpec(width),
  };
};

const isClassifier = (task: Head): boolean =>
  task === "sequence-classification" || task === "token-classification";

const headSpec = (c: DecoderConfig, task: Head): Partial<DecoderParams<ParamSpec>> => {
  const [width, std] = [c.hidden_size, c.initializer_range];
  if (isClassifier(task)) return { score: classifierSpec(task, c, { width, std }) };
  if (task !== "causal-lm" || c.tie_word_embeddings) return {};
  return { lm_head: { weight: param([c.vocab_size, width], normal(std)) } };
};

const params = <C extends DecoderConfig>(c: C, family: Family<C>): DecoderParams<ParamSpec> => ({
  model: {
    embed_tokens: { weight: param([c.vocab_size, c.hidden_size], normal(c.initializer_range)) },
    layers: Array.from({ length: c.num_hidden_layers }, () => layerSpec(c, family)),
    norm: rmsNormSpec(c.hidden_size),
  },
  ...headSpec(c, headOf(family, c)),
});

/** Positions and the tables that they are rows of; the tables are as long as they need to be. */
const rotation = (inputs: Inputs, c: DecoderConfig): Pick<GroupedOptions, "positions" | "tables"> => {
  const length = inputs.inputIds.shape[1]!;
  const counted = inputs.positionIds === undefined;
  if (counted && typeof length === "string") {
    throw new ConfigError("position ids are needed where the length is not fixed");
  }
  // Texts that share a row count from 0 each.
  const short = counted || (inputs.documentIds !== undefined && typeof length === "number");
  const rows = short ? (length as number) : c.max_position_embeddings;
  const { cos, sin } = ropeTables(rows, c.head_dim, c);
  const counts = Array.from({ length: counted ? rows : 0 }, (_, i) => i);
  return {
    positions: inputs.positionIds ?? constant(tensorOf("int64", [rows], counts)),
    tables: { cos: constant(cos), sin: constant(sin) },
  };
};

/** The options that all layers' attention shares. */
const attentionOf = (inputs: Inputs, c: DecoderConfig): Omit<GroupedOptions, "name"> => {
  const groups = c.num_attention_heads / c.num_key_value_heads;
  return {
    heads: c.num_attention_heads,
    kvHeads: c.num_key_value_heads,
    epsilon: c.rms_norm_eps,
    ...rotation(inputs, c),
    ...(inputs.cache === undefined ? { mask: causalPaddingMask(inputs, groups) } : {}),
  };
};

/** x + y and its norm; one node where nothing is trained. */
const joinNorm = (p: RmsNorm<Param>, [x, y]: readonly [Value, Value], c: DecoderConfig, fused: boolean) => {
  if (fused) return addRmsNorm(x, y, dense(p.weight), c.rms_norm_eps);
  const sum = add(x, y);
  return { sum, out: rmsNorm(p, sum, c.rms_norm_eps) };
};

const body = (p: DecoderParams<Param>["model"], inputs: Inputs, c: DecoderConfig) => {
  const { cache, dropoutSeed: seed } = inputs;
  checkLength(inputs.inputIds, c.max_position_embeddings);
  const shared = attentionOf(inputs, c);
  const activation = activations[c.hidden_act];
  const fused = cache !== undefined;
  const present: Outputs["present"][number][] = [];
  let x = embed(p.embed_tokens.weight, inputs.inputIds); // [B, T, C]
  let normed = rmsNorm(p.layers[0]!.input_layernorm, x, c.rms_norm_eps);
  p.layers.forEach((layer, i) => {
    const name = `model.layers.${i}`;
    if (inputs.recompute || inputs.inOrder) {
      x = layerInput(inputs, x);
      normed = rmsNorm(layer.input_layernorm, x, c.rms_norm_eps);
    }
    const dropProbs = (v: Value): Value => dropout(v, c.attention_dropout, `${name}.attn`, seed);
    const attended = groupedAttention(layer.self_attn, normed, {
      ...shared,
      name: `${name}.self_attn`,
      ...(cache === undefined ? {} : { cache: { ...cache, ...cache.layers[i]! } }),
      ...(seed !== undefined && c.attention_dropout > 0 ? { dropProbs } : {}),
    });
    if (attended.present !== undefined) present.push(attended.present);
    const middle = joinNorm(layer.post_attention_layernorm, [x, attended.out], c, fused);
    const mlp = gatedMlp(layer.mlp, middle.out, { activation, ...(fused ? { joined: `${name}.mlp` } : {}) });
    const next = p.layers[i + 1]?.input_layernorm ?? p.norm;
    const end = joinNorm(next, [middle.sum, mlp], c, fused);
    [x, normed] = [end.sum, end.out];
  });
  return { hidden: normed, present };
};

const forward = <C extends DecoderConfig>(
  tree: Tree<Param>,
  inputs: Inputs,
  c: C,
  family: Family<C>,
): Outputs => {
  const p = tree as DecoderParams<Param>;
  const task = headOf(family, c);
  const { hidden, present } = body(p.model, inputs, c);
  if (task === "features") return { hidden, logits: hidden, present };
  if (p.score !== undefined) {
    const logits = classify(p.score, hidden, inputs, { task, pad: c.pad_token_id, head: c });
    return { hidden, logits, present };
  }
  const head = p.lm_head?.weight ?? p.model.embed_tokens.weight;
  return { hidden, head, logits: project(head, hidden), present };
};

const WORDS = "model.embed_tokens.weight";

const roles: LinearNames["roles"] = {
  embed_tokens: "embedding",
  q_proj: "q",
  k_proj: "k",
  v_proj: "v",
  o_proj: "o",
  gate_proj: "gate",
  up_proj: "up",
  down_proj: "down",
  lm_head: "head",
  score: "labels",
};

/** The architecture of a family, but for its name and how it reads its config. */
export const decoderArchitecture = <C extends DecoderConfig>(
  family: Family<C>,
): Omit<Architecture<C, DecoderParams<ParamSpec>>, "name" | "parse"> => ({
  kind: "decoder",
  classes: family.classes,
  base: "model",
  // Older checkpoints hold a buffer of frequencies.
  rename: (name) => (name.endsWith(".rotary_emb.inv_freq") ? null : name),
  tied: (c): Readonly<Record<string, string>> => (c.tie_word_embeddings ? { "lm_head.weight": WORDS } : {}),
  params: (c) => params(c, family),
  forward: (tree, inputs, c) => forward(tree, inputs, c, family),
  cache: (c) => ({
    vocab: c.vocab_size,
    layers: c.num_hidden_layers,
    kvHeads: c.num_key_value_heads,
    headWidth: cacheWidth(c.head_dim),
    positions: c.max_position_embeddings,
  }),
  keepLayers: (config, weights, layers) => {
    const tree = weights as DecoderParams<Weight>;
    const kept = layers.map((i) => tree.model.layers[i]!);
    const smaller: DecoderParams<Weight> = { ...tree, model: { ...tree.model, layers: kept } };
    return {
      config: { ...config, num_hidden_layers: layers.length },
      weights: smaller,
    };
  },
  widths: {
    neurons: { "": "intermediate_size" },
    hidden: "hidden_size",
    heads: { heads: "num_attention_heads", shared: "num_key_value_heads", width: "head_dim" },
  },
  linears: (c) => {
    const isTied = c.tie_word_embeddings && headOf(family, c) === "causal-lm";
    return linearsOf(params(c, family), { roles, head: isTied ? { path: WORDS } : undefined });
  },
});
