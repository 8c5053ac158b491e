/** config.json of T5. */
import { type ActivationName, activations } from "../../nn/activations.ts";
import { ConfigError } from "../../util/errors.ts";
import { checkFields, type Fields, flagField, intField, numberField, oneOf } from "../config.ts";
import { architecturesField } from "../head.ts";

/** Class names by task. */
export const t5Classes = { "seq2seq-lm": "T5ForConditionalGeneration" };

/** config.json of a T5. */
export interface T5Config {
  readonly model_type: "t5";
  readonly architectures: readonly string[];
  readonly is_encoder_decoder: true;
  readonly vocab_size: number;
  readonly d_model: number;
  readonly d_kv: number;
  readonly d_ff: number;
  readonly num_layers: number;
  readonly num_decoder_layers: number;
  readonly num_heads: number;
  readonly relative_attention_num_buckets: number;
  readonly relative_attention_max_distance: number;
  readonly dropout_rate: number;
  readonly layer_norm_epsilon: number;
  readonly initializer_factor: number;
  readonly feed_forward_proj: string;
  /** The activation that `feed_forward_proj` means, unless the config says it. */
  readonly dense_act_fn: ActivationName;
  readonly is_gated_act: boolean;
  /** Whether the head is the embedding. */
  readonly tie_word_embeddings: boolean;
  /** Whether the head reads the decoder's outputs times d_model^-0.5: in the first T5, not in 1.1. */
  readonly scale_decoder_outputs: boolean;
  readonly pad_token_id: number;
  readonly eos_token_id: number | readonly number[];
  readonly decoder_start_token_id: number;
}

/** A token id, or several. */
export const idsField = (f: Fields, name: string, fallback: number): number | readonly number[] => {
  const value = f[name];
  if (!Array.isArray(value)) return intField(f, name, fallback, 0);
  return value.map((id) => intField({ [name]: id }, name, fallback, 0));
};

/** Activation and gate, by "relu", "gated-gelu" and the like, or by fields of their own. */
const feedForward = (f: Fields) => {
  const given = f.feed_forward_proj ?? "relu";
  const parts = typeof given === "string" ? /^(gated-)?([^-]+)$/.exec(given) : null;
  // "gated-gelu" has meant the tanh form since T5 1.1.
  const meant = given === "gated-gelu" ? "gelu_new" : parts?.[2];
  if (parts === null || !Object.hasOwn(activations, meant!)) {
    const known = Object.keys(activations).join(", ");
    throw new ConfigError(
      `must be one of ${known}, "gated-" before it or not, not ${JSON.stringify(given)}`,
      {
        field: "feed_forward_proj",
      },
    );
  }
  return {
    feed_forward_proj: given as string,
    dense_act_fn: oneOf(f, "dense_act_fn", activations, meant as ActivationName),
    is_gated_act: flagField(f, "is_gated_act", parts[1] !== undefined),
  };
};

const aliases = {
  hidden_size: "d_model",
  num_attention_heads: "num_heads",
  num_hidden_layers: "num_layers",
  head_dim: "d_kv",
} as const;

/** The config of T5 from config.json. Throws ConfigError naming the field. */
export const parseT5 = (json: unknown): T5Config => {
  const f = checkFields(json, "t5", aliases);
  const num_layers = intField(f, "num_layers", 6);
  const pad_token_id = intField(f, "pad_token_id", 0, 0);
  const config: T5Config = {
    model_type: "t5",
    architectures: architecturesField(f, t5Classes),
    is_encoder_decoder: true,
    vocab_size: intField(f, "vocab_size", 32128),
    d_model: intField(f, "d_model", 512),
    d_kv: intField(f, "d_kv", 64),
    d_ff: intField(f, "d_ff", 2048),
    num_layers,
    num_decoder_layers: intField(f, "num_decoder_layers", num_layers),
    num_heads: intField(f, "num_heads", 8),
    relative_attention_num_buckets: intField(f, "relative_attention_num_buckets", 32, 4),
    relative_attention_max_distance: intField(f, "relative_attention_max_distance", 128),
    dropout_rate: numberField(f, "dropout_rate", 0.1, 0, 1),
    layer_norm_epsilon: numberField(f, "layer_norm_epsilon", 1e-6, 0, 1),
    initializer_factor: numberField(f, "initializer_factor", 1, 0, 10),
    ...feedForward(f),
    tie_word_embeddings: flagField(f, "tie_word_embeddings", true),
    // Until transformers 5 an untied head meant T5 1.1, which does not scale.
    scale_decoder_outputs: flagField(f, "scale_decoder_outputs", f.tie_word_embeddings !== false),
    pad_token_id,
    eos_token_id: idsField(f, "eos_token_id", 1),
    decoder_start_token_id: intField(f, "decoder_start_token_id", pad_token_id, 0),
  };
  const { relative_attention_max_distance: distance, relative_attention_num_buckets: buckets } = config;
  if (distance <= buckets / 2) {
    throw new ConfigError(`${distance} leaves no far distances to ${buckets} buckets`, {
      field: "relative_attention_max_distance",
      hint: "it must be more than half the number of buckets",
    });
  }
  return config;
};
