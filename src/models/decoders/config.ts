/** What the configs of Llama and its kin share. */
import { type ActivationName, activations } from "../../nn/activations.ts";
import type { Rope } from "../../nn/attention/rope.ts";
import { ConfigError } from "../../util/errors.ts";
import { type Fields, flagField, intField, numberField, oneOf } from "../config.ts";
import { architecturesField, headOf } from "../head.ts";
import type { Architecture, ModelConfig } from "../model.ts";
import { type HeadFields, headFields } from "./head.ts";
import { ropeFields } from "./ropeConfig.ts";

/** The config fields that Llama and its kin share. */
export interface DecoderConfig extends ModelConfig, Rope, HeadFields {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  /** Heads of keys and values; each serves a group of query heads. */
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly hidden_act: ActivationName;
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

/** What is not full attention among a config's layer types. */
const otherTypes = (f: Fields): unknown[] =>
  Array.isArray(f.layer_types) ? f.layer_types.filter((type) => type !== "full_attention") : [];

/** Whether a layer's window is narrower than the texts, by the fields of Qwen2 and its kin. */
const isWindowed = (f: Fields, positions: number): boolean => {
  const others = otherTypes(f);
  if (others.some((type) => type !== "sliding_attention")) return true;
  const window = f.sliding_window === undefined ? 4096 : f.sliding_window;
  if (f.use_sliding_window !== true || window === null) return false;
  if (typeof window === "number" && window >= positions) return false;
  if (Array.isArray(f.layer_types)) return others.length > 0;
  const layers = intField(f, "num_hidden_layers", 32);
  return intField(f, "max_window_layers", 28, 0) < layers;
};

/** Throws ConfigError where a layer would not see the whole text. */
export const refuseWindows = (f: Fields, positions: number): void => {
  if (!isWindowed(f, positions)) return;
  throw new ConfigError("attention in a sliding window is not supported", {
    field: otherTypes(f).length > 0 ? "layer_types" : "use_sliding_window",
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
    hidden_act: oneOf(f, "hidden_act", activations, "silu"),
    max_position_embeddings,
    initializer_range: numberField(f, "initializer_range", 0.02, 0, 10),
    rms_norm_eps: numberField(f, "rms_norm_eps", 1e-6, 0, 1),
    tie_word_embeddings: flagField(f, "tie_word_embeddings", false),
    ...ropeFields(f, max_position_embeddings),
    attention_dropout: numberField(f, "attention_dropout", 0, 0, 1),
    bos_token_id: tokenField(f, "bos_token_id", defaults.bos_token_id),
    eos_token_id: endsField(f, defaults.eos_token_id),
    pad_token_id: tokenField(f, "pad_token_id", null),
    ...headFields(f, headOf({ classes }, { model_type: "", architectures, vocab_size })),
  };
};

/**
 * The spread of a new model's first weights: GPT-2's 0.02 at its width of 768, scaled to others, since narrow
 * models learn far more slowly from smaller ones.
 */
export const freshRange = (width: number): number => 0.02 * Math.sqrt(768 / width);
