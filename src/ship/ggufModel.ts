/**
 * Models as llama.cpp knows them: the metadata that describes an architecture, and where each of its weights
 * goes. Names and layouts are those of llama.cpp's own converter
 * (https://github.com/ggml-org/llama.cpp/blob/master/convert_hf_to_gguf.py): Conv1D matrices are turned, and
 * Llama's query and key rows stand in the order of rotary pairs.
 */

import { type GgmlType, ggmlTypes } from "../formats/ggml.ts";
import type { GgufTensor, GgufValue } from "../formats/gguf.ts";
import type { Tensor } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { isPacked, type Weight } from "../nn/param.ts";
import { ConfigError } from "../util/errors.ts";
import { entries } from "../util/tree.ts";
import { type ConfigFields, numberOf, type RopeKeys, ropeKeys } from "./ggufRope.ts";

/** What a weight's numbers go through on their way. */
type Layout = "as is" | "turned" | "query" | "key";

interface Place {
  readonly name: string;
  readonly layout: Layout;
  /** Kept in float32 whatever the file's type. */
  readonly exact?: boolean;
}

export interface GgufArchitecture {
  /** Metadata, whose keys are written behind the architecture's name; throws ConfigError. */
  keys(config: ConfigFields): Record<string, GgufValue>;
  /** Where a weight goes; undefined for a name that llama.cpp has no place for. */
  place(name: string): Place | undefined;
  heads(config: ConfigFields): { readonly query: number; readonly key: number };
  /** Tensors that the model has no weights for. */
  extra?(config: ConfigFields): GgufTensor[];
  /** What differs in llama.cpp, in a sentence each. */
  notes?(config: ConfigFields): string[];
}

export const uint32 = (value: number): GgufValue => ({ type: "uint32", value });
export const float32 = (value: number): GgufValue => ({ type: "float32", value });
export const string = (value: string): GgufValue => ({ type: "string", value });

/** Places from a table of names, those of block i written with {i}. */
const placer = (table: Readonly<Record<string, string | Place>>) => {
  const places = new Map(
    Object.entries(table).map(
      ([name, to]) => [name, typeof to === "string" ? { name: to, layout: "as is" } : to] as const,
    ),
  ) as ReadonlyMap<string, Place>;
  return (name: string): Place | undefined => {
    const block = /^(.*\.(?:h|layers))\.(\d+)\.(.*)\.(weight|bias)$/.exec(name);
    const whole = /^(.*)\.(weight|bias)$/.exec(name);
    const [key, suffix, i] =
      block === null ? [whole?.[1], whole?.[2], ""] : [`${block[1]}.{i}.${block[3]}`, block[4], block[2]!];
    const place = places.get(key ?? "");
    if (place === undefined) return undefined;
    const layout = suffix === "bias" && place.layout === "turned" ? "as is" : place.layout;
    return { ...place, layout, name: `${place.name.replace("{i}", i)}.${suffix}` };
  };
};

const turned = (name: string): Place => ({ name, layout: "turned" });

const gpt2: GgufArchitecture = {
  keys: (c) => ({
    context_length: uint32(numberOf(c, "n_positions")),
    embedding_length: uint32(numberOf(c, "n_embd")),
    feed_forward_length: uint32(c.n_inner == null ? 4 * numberOf(c, "n_embd") : numberOf(c, "n_inner")),
    block_count: uint32(numberOf(c, "n_layer")),
    "attention.head_count": uint32(numberOf(c, "n_head")),
    "attention.layer_norm_epsilon": float32(numberOf(c, "layer_norm_epsilon")),
  }),
  place: placer({
    "transformer.wte": "token_embd",
    "transformer.wpe": { name: "position_embd", layout: "as is", exact: true },
    "transformer.ln_f": "output_norm",
    "transformer.h.{i}.ln_1": "blk.{i}.attn_norm",
    "transformer.h.{i}.attn.c_attn": turned("blk.{i}.attn_qkv"),
    "transformer.h.{i}.attn.c_proj": turned("blk.{i}.attn_output"),
    "transformer.h.{i}.ln_2": "blk.{i}.ffn_norm",
    "transformer.h.{i}.mlp.c_fc": turned("blk.{i}.ffn_up"),
    "transformer.h.{i}.mlp.c_proj": turned("blk.{i}.ffn_down"),
  }),
  heads: (c) => ({ query: numberOf(c, "n_head"), key: numberOf(c, "n_head") }),
  notes: (c) => {
    if (c.activation_function === "gelu_new") return [];
    if (c.activation_function === "gelu")
      return ["llama.cpp computes GPT-2's GELU by the tanh formula; this model was made with the exact one"];
    throw new ConfigError(`${String(c.activation_function)} is not an activation of llama.cpp's GPT-2`, {
      field: "activation_function",
      hint: "export to ONNX instead",
    });
  },
};

const gateOf = (c: ConfigFields): string[] => {
  const activation = c.hidden_act ?? "silu";
  if (activation === "silu" || activation === "swish") return [];
  throw new ConfigError(`${String(activation)} is not an activation of llama.cpp's ${String(c.model_type)}`, {
    field: "hidden_act",
    hint: "export to ONNX instead",
  });
};

const headWidth = (c: ConfigFields): number =>
  c.head_dim == null
    ? numberOf(c, "hidden_size") / numberOf(c, "num_attention_heads")
    : numberOf(c, "head_dim");

const rotary = (rope: (c: ConfigFields, width: number) => RopeKeys, layout: "rotary" | "halves") => {
  const of = (name: string, side: "query" | "key"): Place => ({
    name,
    layout: layout === "rotary" ? side : "as is",
  });
  const base: GgufArchitecture = {
    keys: (c) => ({
      context_length: uint32(numberOf(c, "max_position_embeddings")),
      embedding_length: uint32(numberOf(c, "hidden_size")),
      feed_forward_length: uint32(numberOf(c, "intermediate_size")),
      block_count: uint32(numberOf(c, "num_hidden_layers")),
      "attention.head_count": uint32(numberOf(c, "num_attention_heads")),
      "attention.head_count_kv": uint32(numberOf(c, "num_key_value_heads")),
      "attention.key_length": uint32(headWidth(c)),
      "attention.value_length": uint32(headWidth(c)),
      "attention.layer_norm_rms_epsilon": float32(numberOf(c, "rms_norm_eps")),
      "rope.dimension_count": uint32(headWidth(c)),
      ...rope(c, headWidth(c)).keys,
    }),
    place: placer({
      "model.embed_tokens": "token_embd",
      "model.norm": "output_norm",
      lm_head: "output",
      "model.layers.{i}.input_layernorm": "blk.{i}.attn_norm",
      "model.layers.{i}.self_attn.q_proj": of("blk.{i}.attn_q", "query"),
      "model.layers.{i}.self_attn.k_proj": of("blk.{i}.attn_k", "key"),
      "model.layers.{i}.self_attn.v_proj": "blk.{i}.attn_v",
      "model.layers.{i}.self_attn.o_proj": "blk.{i}.attn_output",
      "model.layers.{i}.self_attn.q_norm": "blk.{i}.attn_q_norm",
      "model.layers.{i}.self_attn.k_norm": "blk.{i}.attn_k_norm",
      "model.layers.{i}.post_attention_layernorm": "blk.{i}.ffn_norm",
      "model.layers.{i}.mlp.gate_proj": "blk.{i}.ffn_gate",
      "model.layers.{i}.mlp.up_proj": "blk.{i}.ffn_up",
      "model.layers.{i}.mlp.down_proj": "blk.{i}.ffn_down",
    }),
    heads: (c) => ({ query: numberOf(c, "num_attention_heads"), key: numberOf(c, "num_key_value_heads") }),
    extra: (c) => {
      const { factors } = rope(c, headWidth(c));
      if (factors === undefined) return [];
      return [{ name: "rope_freqs.weight", shape: [factors.length], type: "f32", values: () => factors }];
    },
    notes: gateOf,
  };
  return base;
};

/** By config.json's model_type, which is llama.cpp's name too. */
export const ggufArchitectures: Readonly<Record<string, GgufArchitecture>> = {
  gpt2,
  llama: rotary(ropeKeys, "rotary"),
  qwen2: rotary(ropeKeys, "halves"),
  qwen3: rotary(ropeKeys, "halves"),
};

/** [K, N] -> [N, K] */
const turn = (data: Float32Array, [k, n]: readonly number[]): Float32Array => {
  const out = new Float32Array(data.length);
  for (let i = 0; i < k!; i++) for (let j = 0; j < n!; j++) out[j * k! + i] = data[i * n! + j]!;
  return out;
};

/** Rows of each head from [first halves, second halves] to pairs: row i of a half becomes row 2 i. */
const pairRows = (data: Float32Array, rows: number, heads: number): Float32Array => {
  const out = new Float32Array(data.length);
  const width = data.length / rows;
  const head = rows / heads;
  for (let row = 0; row < rows; row++) {
    const within = row % head;
    const to = row - within + (within < head / 2 ? 2 * within : 2 * within - head + 1);
    out.set(data.subarray(row * width, (row + 1) * width), to * width);
  }
  return out;
};

/** The type that a tensor is stored in: vectors and positions in f32, odd rows of packed types in f16. */
const typeOf = (place: Place, shape: readonly number[], type: GgmlType): GgmlType => {
  if (shape.length < 2 || place.exact === true) return "f32";
  return shape.at(-1)! % ggmlTypes[type].block === 0 ? type : "f16";
};

const tensorOf = (place: Place, t: Tensor, type: GgmlType, heads: number): GgufTensor => {
  const data = t.data as Float32Array;
  const isTurned = place.layout === "turned";
  const shape = isTurned ? t.shape.toReversed() : t.shape;
  const values = (): Float32Array => {
    if (isTurned) return turn(data, t.shape);
    return place.layout === "as is" ? data : pairRows(data, t.shape[0]!, heads);
  };
  return { name: place.name, shape, type: typeOf(place, shape, type), values };
};

/** The architecture's entry. Throws ConfigError where llama.cpp has none that is known here. */
export const ggufArchitectureOf = (model: Model): GgufArchitecture => {
  const { name } = model.arch;
  const found = Object.hasOwn(ggufArchitectures, name) ? ggufArchitectures[name] : undefined;
  if (found !== undefined) return found;
  const known = Object.keys(ggufArchitectures).join(", ");
  throw new ConfigError(`${name} cannot be written as GGUF`, {
    field: "model_type",
    hint: `GGUF is written for ${known}; export ${name} to ONNX instead`,
  });
};

/** A dense model's tensors in order. Throws ConfigError for a packed weight and for one without a place. */
export const ggufTensors = (model: Model, type: GgmlType): GgufTensor[] => {
  const arch = ggufArchitectureOf(model);
  const config = model.config as ConfigFields;
  const heads = arch.heads(config);
  const tensors = arch.extra?.(config) ?? [];
  for (const [name, w] of entries<Weight>(model.weights)) {
    const place = arch.place(name);
    if (place === undefined)
      throw new ConfigError(`has no place in llama.cpp's ${model.arch.name}`, { tensor: name });
    if (isPacked(w)) {
      throw new ConfigError(`is ${w.kind} already`, {
        tensor: name,
        hint: "GGUF is made from float32 weights",
      });
    }
    tensors.push(tensorOf(place, w, type, place.layout === "key" ? heads.key : heads.query));
  }
  return tensors;
};
