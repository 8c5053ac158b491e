/** config.json of Marian. */

import { type ActivationName, activations } from "../../nn/activations.ts";
import { ConfigError } from "../../util/errors.ts";
import { checkFields, type Fields, flagField, intField, numberField, oneOf } from "../config.ts";
import { architecturesField } from "../head.ts";
import { idsField } from "./t5Config.ts";

/** Class names by task. */
export const marianClasses = { "seq2seq-lm": "MarianMTModel" };

/** config.json of a Marian. */
export interface MarianConfig {
  readonly model_type: "marian";
  readonly architectures: readonly string[];
  readonly is_encoder_decoder: true;
  readonly vocab_size: number;
  readonly decoder_vocab_size: number;
  readonly max_position_embeddings: number;
  readonly d_model: number;
  readonly encoder_layers: number;
  readonly encoder_attention_heads: number;
  readonly encoder_ffn_dim: number;
  readonly decoder_layers: number;
  readonly decoder_attention_heads: number;
  readonly decoder_ffn_dim: number;
  readonly activation_function: ActivationName;
  readonly dropout: number;
  readonly attention_dropout: number;
  readonly activation_dropout: number;
  readonly init_std: number;
  readonly scale_embedding: boolean;
  readonly static_position_embeddings: true;
  readonly share_encoder_decoder_embeddings: boolean;
  readonly tie_word_embeddings: boolean;
  readonly pad_token_id: number;
  readonly eos_token_id: number | readonly number[];
  readonly decoder_start_token_id: number;
  readonly forced_eos_token_id: number | null;
}

/** Fields of other models of the same code (BART, mBART) that Marian's reference reads no more. */
const refuseOthers = (f: Fields): void => {
  for (const name of ["normalize_before", "add_final_layer_norm", "normalize_embedding"]) {
    if (f[name] === true) throw new ConfigError("true is not supported for marian", { field: name });
  }
  if (f.static_position_embeddings === false) {
    throw new ConfigError("learnt positions are not supported for marian", {
      field: "static_position_embeddings",
    });
  }
};

const checkHeads = ({ d_model, ...c }: MarianConfig): void => {
  for (const field of ["encoder_attention_heads", "decoder_attention_heads"] as const) {
    if (d_model % c[field] === 0) continue;
    throw new ConfigError(`${d_model} channels do not divide into ${c[field]} heads`, {
      field,
      hint: "choose a width (d_model) that is a multiple of the number of heads",
    });
  }
};

/** The sizes of encoder and decoder. */
const depths = (f: Fields) => ({
  encoder_layers: intField(f, "encoder_layers", 12),
  encoder_attention_heads: intField(f, "encoder_attention_heads", 16),
  encoder_ffn_dim: intField(f, "encoder_ffn_dim", 4096),
  decoder_layers: intField(f, "decoder_layers", 12),
  decoder_attention_heads: intField(f, "decoder_attention_heads", 16),
  decoder_ffn_dim: intField(f, "decoder_ffn_dim", 4096),
});

const aliases = {
  hidden_size: "d_model",
  num_attention_heads: "encoder_attention_heads",
  num_hidden_layers: "encoder_layers",
} as const;

/** The config of Marian from config.json. Throws ConfigError naming the field. */
export const parseMarian = (json: unknown): MarianConfig => {
  const f = checkFields(json, "marian", aliases);
  refuseOthers(f);
  const vocab_size = intField(f, "vocab_size", 58101);
  const share_encoder_decoder_embeddings = flagField(f, "share_encoder_decoder_embeddings", true);
  const pad_token_id = intField(f, "pad_token_id", vocab_size - 1, 0);
  const config: MarianConfig = {
    model_type: "marian",
    architectures: architecturesField(f, marianClasses),
    is_encoder_decoder: true,
    vocab_size,
    decoder_vocab_size: share_encoder_decoder_embeddings
      ? vocab_size
      : intField(f, "decoder_vocab_size", vocab_size),
    max_position_embeddings: intField(f, "max_position_embeddings", 1024),
    d_model: intField(f, "d_model", 1024),
    ...depths(f),
    activation_function: oneOf(f, "activation_function", activations, "gelu"),
    dropout: numberField(f, "dropout", 0.1, 0, 1),
    attention_dropout: numberField(f, "attention_dropout", 0, 0, 1),
    activation_dropout: numberField(f, "activation_dropout", 0, 0, 1),
    init_std: numberField(f, "init_std", 0.02, 0, 10),
    scale_embedding: flagField(f, "scale_embedding", false),
    static_position_embeddings: true,
    share_encoder_decoder_embeddings,
    tie_word_embeddings: flagField(f, "tie_word_embeddings", true),
    pad_token_id,
    eos_token_id: idsField(f, "eos_token_id", 0),
    decoder_start_token_id: intField(f, "decoder_start_token_id", pad_token_id, 0),
    forced_eos_token_id: f.forced_eos_token_id == null ? null : intField(f, "forced_eos_token_id", 0, 0),
  };
  checkHeads(config);
  return config;
};

/** Whether one matrix is both embeddings and the head: nothing is shared where nothing is tied. */
export const hasShared = (c: MarianConfig): boolean =>
  c.share_encoder_decoder_embeddings && c.tie_word_embeddings;

const halves = {
  "model.decoder.embed_tokens.weight": "model.shared.weight",
  "model.encoder.embed_tokens.weight": "model.shared.weight",
} as const;

/** Other names of the embeddings in checkpoints -> their names here. */
export const marianTied = (c: MarianConfig): Readonly<Record<string, string>> => {
  if (hasShared(c)) return { "lm_head.weight": "model.shared.weight", ...halves };
  if (c.share_encoder_decoder_embeddings) return halves;
  return c.tie_word_embeddings ? { "lm_head.weight": "model.decoder.embed_tokens.weight" } : {};
};
