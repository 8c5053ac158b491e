/** Models as llama.cpp knows them: the metadata that describes an architecture, and its tensors. */

import type { GgmlType } from "../../formats/gguf/ggml.ts";
import type { GgufTensor, GgufValue } from "../../formats/gguf/gguf.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { pairRows, turn } from "../../models/gguf/layout.ts";
import { ggufPlaces, type Place, type Places } from "../../models/gguf/places.ts";
import { ROPE_FREQS } from "../../models/gguf/rope.ts";
import type { LinearInfo } from "../../models/linears.ts";
import type { Model } from "../../models/model.ts";
import { isPacked, type Weight } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";
import { entries } from "../../util/tree.ts";
import { type GgufMixName, mixedType } from "./mixes.ts";
import { type ConfigFields, numberOf, ropeKeys } from "./rope.ts";

/** How llama.cpp knows an architecture. */
export interface GgufArchitecture {
  /** Metadata, whose keys are written behind the architecture's name; throws ConfigError. */
  keys(config: ConfigFields): Record<string, GgufValue>;
  readonly places: Places;
  heads(config: ConfigFields): { readonly query: number; readonly key: number };
  /** Tensors that the model has no weights for. */
  extra?(config: ConfigFields): GgufTensor[];
  /** What differs in llama.cpp, in a sentence each. */
  notes?(config: ConfigFields): string[];
}

/** A value of metadata of this type. */
export const uint32 = (value: number): GgufValue => ({ type: "uint32", value });
/** A value of metadata of this type. */
export const float32 = (value: number): GgufValue => ({ type: "float32", value });
/** A value of metadata of this type. */
export const string = (value: string): GgufValue => ({ type: "string", value });

/** Names of the one function that llama.cpp's GPT-2 computes. */
const TANH_GELUS = ["gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_accurate"];

const gpt2: GgufArchitecture = {
  keys: (c) => ({
    context_length: uint32(numberOf(c, "n_positions")),
    embedding_length: uint32(numberOf(c, "n_embd")),
    feed_forward_length: uint32(c.n_inner == null ? 4 * numberOf(c, "n_embd") : numberOf(c, "n_inner")),
    block_count: uint32(numberOf(c, "n_layer")),
    "attention.head_count": uint32(numberOf(c, "n_head")),
    "attention.layer_norm_epsilon": float32(numberOf(c, "layer_norm_epsilon")),
  }),
  places: ggufPlaces.gpt2,
  heads: (c) => ({ query: numberOf(c, "n_head"), key: numberOf(c, "n_head") }),
  notes: (c) => {
    const odd = ["scale_attn_weights", "scale_attn_by_inverse_layer_idx"].find((f, i) => c[f] === (i === 1));
    if (odd !== undefined) {
      throw new ConfigError(`${String(c[odd])} is nothing that llama.cpp's GPT-2 knows`, {
        field: odd,
        hint: "export to ONNX instead",
      });
    }
    if (TANH_GELUS.includes(String(c.activation_function))) return [];
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

const rotary = (places: Places): GgufArchitecture => ({
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
    ...ropeKeys(c, headWidth(c)).keys,
  }),
  places,
  heads: (c) => ({ query: numberOf(c, "num_attention_heads"), key: numberOf(c, "num_key_value_heads") }),
  extra: (c) => {
    const { factors } = ropeKeys(c, headWidth(c));
    if (factors === undefined) return [];
    return [{ name: ROPE_FREQS, shape: [factors.length], type: "f32", values: () => factors }];
  },
  notes: gateOf,
});

/** By config.json's model_type, which is llama.cpp's name too. */
export const ggufArchitectures: Readonly<Record<string, GgufArchitecture>> = {
  gpt2,
  llama: rotary(ggufPlaces.llama),
  qwen2: rotary(ggufPlaces.qwen2),
  qwen3: rotary(ggufPlaces.qwen3),
};

/** What an error of each number of a row counts, by the path of the weight. */
export type GgufImportance = ReadonlyMap<string, ArrayLike<number>>;

/** The type that a tensor is stored in: vectors and positions in f32, matrices as the kind of file says. */
const typeFor = (
  info: LinearInfo | undefined,
  { place, shape }: { readonly place: Place; readonly shape: readonly number[] },
  how: { readonly mix: GgufMixName; readonly layers: number; readonly weighed: boolean },
): GgmlType => {
  if (shape.length < 2 || place.exact === true || info === undefined) return "f32";
  const role = info.reads === "head" ? "head" : info.role;
  const { mix, ...about } = how;
  return mixedType(mix, { role, layer: info.layer ?? 0, row: shape.at(-1)!, ...about });
};

const tensorOf = (place: Place, t: Tensor, heads: number): Omit<GgufTensor, "type" | "importance"> => {
  const data = t.data as Float32Array;
  const isTurned = place.layout === "turned";
  const shape = isTurned ? t.shape.toReversed() : t.shape;
  const values = (): Float32Array => {
    if (isTurned) return turn(data, t.shape);
    return place.layout === "as is" ? data : pairRows(data, t.shape[0]!, heads);
  };
  return { name: place.name, shape, values };
};

/** The architecture's entry. Throws ConfigError where llama.cpp has none that is known here. */
export const ggufArchitectureOf = (model: Pick<Model, "arch">): GgufArchitecture => {
  const { name } = model.arch;
  const found = Object.hasOwn(ggufArchitectures, name) ? ggufArchitectures[name] : undefined;
  if (found !== undefined) return found;
  const known = Object.keys(ggufArchitectures).join(", ");
  throw new ConfigError(`${name} cannot be written as GGUF`, {
    field: "model_type",
    hint: `GGUF is written for ${known}; export ${name} to ONNX instead`,
  });
};

/** A dense weight. Throws ConfigError for a packed one. */
const denseAt = (path: string, w: Weight): Tensor => {
  if (!isPacked(w)) return w;
  throw new ConfigError(`is ${w.kind.name} already`, {
    tensor: path,
    hint: "GGUF is made from float32 weights",
  });
};

/** A dense model's tensors in order. Throws ConfigError for a packed weight and for one without a place. */
export const ggufTensors = (
  model: Model,
  mix: GgufMixName,
  importance: GgufImportance = new Map(),
): GgufTensor[] => {
  const arch = ggufArchitectureOf(model);
  const config = model.config as ConfigFields;
  const heads = arch.heads(config);
  const infos = new Map(model.arch.linears(model.config).map((info) => [info.path, info]));
  const { layers } = model.arch.cache(model.config);
  const tensors = arch.extra?.(config) ?? [];
  for (const [path, w] of entries<Weight>(model.weights)) {
    const place = arch.places.tensorOf(path);
    if (place === undefined)
      throw new ConfigError(`has no place in llama.cpp's ${model.arch.name}`, { tensor: path });
    const made = tensorOf(place, denseAt(path, w), place.layout === "key" ? heads.key : heads.query);
    const own = importance.get(path);
    const about = { mix, layers, weighed: own !== undefined };
    const type = typeFor(infos.get(path), { place, shape: made.shape }, about);
    tensors.push({ ...made, type, ...(own === undefined ? {} : { importance: own }) });
  }
  return tensors;
};
