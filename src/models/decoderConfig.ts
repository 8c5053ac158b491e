/** What the configs of Llama and its kin share. */
import type { Value } from "../ir/op.ts";
import type { Rope } from "../nn/rope.ts";
import { gelu, geluTanh, relu } from "../ops/elementwise.ts";
import { silu } from "../ops/silu.ts";
import { ConfigError } from "../util/errors.ts";
import { type Fields, intField, numberField, oneOf } from "./config.ts";
import { type HeadFields, headFields } from "./decoderHead.ts";
import type { Architecture, ModelConfig } from "./model.ts";
import { ropeFields } from "./ropeConfig.ts";
import { architecturesField, taskOf } from "./task.ts";

export const gatedActivations = {
  silu,
  swish: silu,
  gelu,
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  relu,
} as const satisfies Record<string, (x: Value) => Value>;

export interface DecoderConfig extends ModelConfig, Rope, HeadFields {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  /** Heads of keys and values; each serves a group of query heads. */
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly hidden_act: keyof typeof gatedActivations;
  readonly max_position_embeddings: number;
  readonly initializer_range: number;
  readonly rms_norm_eps: number;
  readonly tie_word_embeddings: boolean;
  readonly attention_dropout: number;
  readonly bos_token_id: number | null;
  readonly eos_token_id: number | readonly number[] | null;
  readonly pad_token_id: number | null;
}

/** Where the families differ in what an absent field means. */
export interface DecoderDefaults {
  readonly vocab_size: number;
  readonly intermediate_size: number;
  readonly num_key_value_heads: number | null;
  readonly head_dim: number | null;
  readonly max_position_embeddings: number;
  readonly bos_token_id: number | null;
  readonly eos_token_id: number | null;
}

/** true or false, or the default where absent. */
export const flagField = (f: Fields, name: string, fallback: boolean): boolean => {
  const value = f[name] ?? fallback;
  if (typeof value === "boolean") return value;
  throw new ConfigError(`must be true or false, not ${JSON.stringify(value)}`, { field: name });
};

/** A token's id, null where there is none, the default where absent. Some old configs say -1 for none. */
export const tokenField = (f: Fields, name: string, fallback: number | null): number | null => {
  const value = f[name] === undefined ? fallback : f[name];
  return value === null || value === -1 ? null : intField(f, name, value as number, 0);
};

/** Ids that end a text: one, several or none. */
const endsField = (f: Fields, fallback: number | null): DecoderConfig["eos_token_id"] => {
  const given = f.eos_token_id;
  if (!Array.isArray(given)) return tokenField(f, "eos_token_id", fallback);
  return given.map((id, i) => intField({ [`eos_token_id.${i}`]: id }, `eos_token_id.${i}`, -1, 0));
};

type HeadSizes = Pick<DecoderConfig, "num_attention_heads" | "num_key_value_heads" | "head_dim">;

const checkHeads = (c: HeadSizes): void => {
  if (c.num_attention_heads % c.num_key_value_heads !== 0) {
    throw new ConfigError(
      `${c.num_attention_heads} heads do not divide into groups for ${c.num_key_value_heads} keys`,
      { field: "num_key_value_heads", hint: "choose a divisor of num_attention_heads" },
    );
  }
  if (c.head_dim % 2 !== 0) {
    throw new ConfigError(`heads of ${c.head_dim} have no halves to turn`, {
      field: "head_dim",
      hint: "rotary positions need an even head width",
    });
  }
};

/** Sizes of attention. Throws ConfigError where the heads do not divide the width that they are cut from. */
const headSizes = (f: Fields, hidden_size: number, defaults: DecoderDefaults): HeadSizes => {
  const num_attention_heads = intField(f, "num_attention_heads", 32);
  const keys = f.num_key_value_heads === undefined ? defaults.num_key_value_heads : f.num_key_value_heads;
  const width = f.head_dim ?? defaults.head_dim;
  if (width == null && hidden_size % num_attention_heads !== 0) {
    throw new ConfigError(`${hidden_size} channels do not divide into ${num_attention_heads} heads`, {
      field: "num_attention_heads",
      hint: "choose a width (hidden_size) that is a multiple of the number of heads, or give head_dim",
    });
  }
  const sizes = {
    num_attention_heads,
    num_key_value_heads:
      keys == null ? num_attention_heads : intField(f, "num_key_value_heads", keys as number),
    head_dim: width == null ? hidden_size / num_attention_heads : intField(f, "head_dim", width as number),
  };
  checkHeads(sizes);
  return sizes;
};

/** Throws ConfigError where a layer would not see the whole text. */
export const refuseWindows = (f: Fields): void => {
  const types = f.layer_types;
  const windowed = Array.isArray(types) && types.some((type) => type !== "full_attention");
  if (f.use_sliding_window !== true && !windowed) return;
  throw new ConfigError("attention in a sliding window is not supported", {
    field: f.use_sliding_window === true ? "use_sliding_window" : "layer_types",
    hint: "only models whose layers see the whole text can be used",
  });
};

/** The shared fields of a config. Throws ConfigError naming the field. */
export const decoderFields = (
  f: Fields,
  classes: Architecture["classes"],
  defaults: DecoderDefaults,
): Omit<DecoderConfig, "model_type"> => {
  const architectures = architecturesField(f, classes);
  const hidden_size = intField(f, "hidden_size", 4096);
  const max_position_embeddings = intField(f, "max_position_embeddings", defaults.max_position_embeddings);
  const vocab_size = intField(f, "vocab_size", defaults.vocab_size);
  return {
    architectures,
    vocab_size,
    hidden_size,
    intermediate_size: intField(f, "intermediate_size", defaults.intermediate_size),
    num_hidden_layers: intField(f, "num_hidden_layers", 32),
    ...headSizes(f, hidden_size, defaults),
    hidden_act: oneOf(f, "hidden_act", gatedActivations, "silu"),
    max_position_embeddings,
    initializer_range: numberField(f, "initializer_range", 0.02, 0, 10),
    rms_norm_eps: numberField(f, "rms_norm_eps", 1e-6, 0, 1),
    tie_word_embeddings: flagField(f, "tie_word_embeddings", false),
    ...ropeFields(f, max_position_embeddings),
    attention_dropout: numberField(f, "attention_dropout", 0, 0, 1),
    bos_token_id: tokenField(f, "bos_token_id", defaults.bos_token_id),
    eos_token_id: endsField(f, defaults.eos_token_id),
    pad_token_id: tokenField(f, "pad_token_id", null),
    ...headFields(f, taskOf({ classes }, { model_type: "", architectures, vocab_size })),
  };
};

/**
 * The spread of a new model's first weights: GPT-2's 0.02 at its width of 768, scaled to others, since narrow
 * models learn far more slowly from smaller ones.
 */
export const freshRange = (width: number): number => 0.02 * Math.sqrt(768 / width);
