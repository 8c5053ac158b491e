/**
 * Qwen2 and Qwen2.5 (Yang et al. 2024, https://arxiv.org/abs/2407.10671): queries, keys and values have
 * biases.
 */
import type { ParamSpec } from "../../nn/param.ts";
import { checkFields, intField } from "../config.ts";
import type { Architecture } from "../model.ts";
import { type DecoderConfig, decoderFields, freshRange, refuseWindows } from "./config.ts";
import { type DecoderParams, decoderArchitecture } from "./decoder.ts";

const classes = {
  "causal-lm": "Qwen2ForCausalLM",
  "sequence-classification": "Qwen2ForSequenceClassification",
  "token-classification": "Qwen2ForTokenClassification",
  features: "Qwen2Model",
};

/** config.json of a Qwen2 or 2.5, without sliding windows. */
export interface Qwen2Config extends DecoderConfig {
  readonly model_type: "qwen2";
  readonly use_sliding_window: false;
}

const parse = (json: unknown): Qwen2Config => {
  const f = checkFields(json, "qwen2");
  refuseWindows(f, intField(f, "max_position_embeddings", 32768));
  return {
    model_type: "qwen2",
    ...decoderFields(f, classes, {
      vocab_size: 151936,
      intermediate_size: 22016,
      num_key_value_heads: 32,
      head_dim: null,
      max_position_embeddings: 32768,
      bos_token_id: null,
      eos_token_id: null,
    }),
    use_sliding_window: false,
  };
};

/** Qwen2 and 2.5: causal language model, classifier of texts or tokens, or features. */
export const qwen2: Architecture<Qwen2Config, DecoderParams<ParamSpec>> = {
  name: "qwen2",
  parse,
  ...decoderArchitecture<Qwen2Config>({
    classes,
    biases: () => ({ qkv: true, out: false, mlp: false }),
    normedHeads: false,
  }),
};

/**
 * The config of a new model: first weights that suit its width, a tied head and no dropout, unless told.
 */
export const qwen2Config = (fields: Partial<Qwen2Config> & { vocab_size: number }): Qwen2Config =>
  qwen2.parse({
    model_type: "qwen2",
    initializer_range: freshRange(fields.hidden_size ?? 4096),
    tie_word_embeddings: true,
    classifier_dropout: 0,
    ...fields,
  });
