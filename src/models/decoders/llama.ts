/** Llama (Touvron et al. 2023, https://arxiv.org/abs/2302.13971), also TinyLlama, SmolLM and SmolLM2. */
import type { ParamSpec } from "../../nn/param.ts";
import { checkFields, flagField } from "../config.ts";
import type { Architecture } from "../model.ts";
import { type DecoderConfig, decoderFields, freshRange } from "./config.ts";
import { type DecoderParams, decoderArchitecture } from "./decoder.ts";

const classes = {
  "causal-lm": "LlamaForCausalLM",
  "sequence-classification": "LlamaForSequenceClassification",
  "token-classification": "LlamaForTokenClassification",
  features: "LlamaModel",
};

/** config.json of a Llama. */
export interface LlamaConfig extends DecoderConfig {
  readonly model_type: "llama";
  /** Whether all four projections of attention have biases. */
  readonly attention_bias: boolean;
  readonly mlp_bias: boolean;
}

const parse = (json: unknown): LlamaConfig => {
  const f = checkFields(json, "llama");
  return {
    model_type: "llama",
    ...decoderFields(f, classes, {
      vocab_size: 32000,
      intermediate_size: 11008,
      num_key_value_heads: null,
      head_dim: null,
      max_position_embeddings: 2048,
      bos_token_id: 1,
      eos_token_id: 2,
    }),
    attention_bias: flagField(f, "attention_bias", false),
    mlp_bias: flagField(f, "mlp_bias", false),
  };
};

/** Llama: causal language model, classifier of texts or tokens, or features. */
export const llama: Architecture<LlamaConfig, DecoderParams<ParamSpec>> = {
  name: "llama",
  parse,
  ...decoderArchitecture<LlamaConfig>({
    classes,
    biases: (c) => ({ qkv: c.attention_bias, out: c.attention_bias, mlp: c.mlp_bias }),
    normedHeads: false,
  }),
};

/**
 * The config of a new model: first weights that suit its width, a tied head and no dropout, unless told.
 */
export const llamaConfig = (fields: Partial<LlamaConfig> & { vocab_size: number }): LlamaConfig =>
  llama.parse({
    model_type: "llama",
    initializer_range: freshRange(fields.hidden_size ?? 4096),
    tie_word_embeddings: true,
    classifier_dropout: 0,
    ...fields,
  });
