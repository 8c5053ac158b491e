/**
 * Qwen3 (Yang et al. 2025, https://arxiv.org/abs/2505.09388): queries and keys are normalised head by head.
 */
import type { ParamSpec } from "../../nn/param.ts";
import { checkFields, flagField, intField } from "../config.ts";
import type { Architecture } from "../model.ts";
import { type DecoderConfig, decoderFields, freshRange, refuseWindows } from "./config.ts";
import { type DecoderParams, decoderArchitecture } from "./decoder.ts";

const classes = {
  "causal-lm": "Qwen3ForCausalLM",
  "sequence-classification": "Qwen3ForSequenceClassification",
  "token-classification": "Qwen3ForTokenClassification",
  features: "Qwen3Model",
};

/** config.json of a Qwen3, without sliding windows. */
export interface Qwen3Config extends DecoderConfig {
  readonly model_type: "qwen3";
  /** Whether all four projections of attention have biases. */
  readonly attention_bias: boolean;
  readonly use_sliding_window: false;
}

const parse = (json: unknown): Qwen3Config => {
  const f = checkFields(json, "qwen3");
  refuseWindows(f, intField(f, "max_position_embeddings", 32768));
  return {
    model_type: "qwen3",
    ...decoderFields(f, classes, {
      vocab_size: 151936,
      intermediate_size: 22016,
      num_key_value_heads: 32,
      head_dim: 128,
      max_position_embeddings: 32768,
      bos_token_id: null,
      eos_token_id: null,
    }),
    attention_bias: flagField(f, "attention_bias", false),
    use_sliding_window: false,
  };
};

/** Qwen3: causal language model, classifier of texts or tokens, or features. */
export const qwen3: Architecture<Qwen3Config, DecoderParams<ParamSpec>> = {
  name: "qwen3",
  parse,
  ...decoderArchitecture<Qwen3Config>({
    classes,
    biases: (c) => ({ qkv: c.attention_bias, out: c.attention_bias, mlp: false }),
    normedHeads: true,
  }),
};

/**
 * The config of a new model: first weights that suit its width, a tied head and no dropout, unless told.
 */
export const qwen3Config = (fields: Partial<Qwen3Config> & { vocab_size: number }): Qwen3Config =>
  qwen3.parse({
    model_type: "qwen3",
    initializer_range: freshRange(fields.hidden_size ?? 4096),
    tie_word_embeddings: true,
    classifier_dropout: 0,
    ...fields,
  });
