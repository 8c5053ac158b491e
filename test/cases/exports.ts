/** Small models of every kind, for exporting: a row for each architecture, a config for each. */
import type { Head } from "../../src/models/model.ts";

const bert = {
  vocab_size: 90,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 128,
  max_position_embeddings: 66,
};
const labels = { id2label: { 0: "A", 1: "B", 2: "C" }, label2id: { A: 0, B: 1, C: 2 } };
const llama = {
  vocab_size: 90,
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  max_position_embeddings: 64,
  bos_token_id: 1,
  eos_token_id: 2,
  pad_token_id: 0,
  ...labels,
};
const encoderTasks: readonly Head[] = [
  "masked-lm",
  "sequence-classification",
  "token-classification",
  "features",
];

export interface ExportCase {
  readonly config: Readonly<Record<string, unknown>>;
  /** Tasks that transformers.js has a class for. */
  readonly tasks: readonly Head[];
  /** Others, whose graphs run in onnxruntime. */
  readonly others?: readonly Head[];
}

const heads: readonly Head[] = ["sequence-classification", "token-classification"];

export const exportCases: Readonly<Record<string, ExportCase>> = {
  gpt2: {
    config: {
      vocab_size: 90,
      n_positions: 64,
      n_embd: 64,
      n_layer: 2,
      n_head: 2,
      pad_token_id: 0,
      ...labels,
    },
    tasks: ["causal-lm", "features"],
    others: heads,
  },
  llama: {
    config: { ...llama, tie_word_embeddings: false },
    tasks: ["causal-lm", "features"],
    others: heads,
  },
  qwen2: { config: { ...llama, tie_word_embeddings: true }, tasks: ["causal-lm", "features"], others: heads },
  qwen3: { config: { ...llama, tie_word_embeddings: true }, tasks: ["causal-lm", "features"], others: heads },
  bert: { config: { ...bert, ...labels }, tasks: encoderTasks },
  roberta: { config: { ...bert, ...labels }, tasks: encoderTasks },
  "xlm-roberta": { config: { ...bert, ...labels, type_vocab_size: 1 }, tasks: encoderTasks },
  mpnet: { config: { ...bert, ...labels }, tasks: encoderTasks },
  modernbert: { config: { ...bert, ...labels, pad_token_id: 0, local_attention: 8 }, tasks: encoderTasks },
  distilbert: {
    config: {
      vocab_size: 90,
      dim: 64,
      n_layers: 2,
      n_heads: 2,
      hidden_dim: 128,
      max_position_embeddings: 64,
      ...labels,
    },
    tasks: encoderTasks,
  },
  t5: {
    config: {
      vocab_size: 90,
      d_model: 64,
      d_kv: 32,
      d_ff: 128,
      num_layers: 2,
      num_heads: 2,
      feed_forward_proj: "gated-gelu",
      tie_word_embeddings: false,
      decoder_start_token_id: 0,
      pad_token_id: 0,
      eos_token_id: 1,
    },
    tasks: ["seq2seq-lm"],
  },
  marian: {
    config: {
      vocab_size: 90,
      d_model: 64,
      encoder_layers: 2,
      decoder_layers: 2,
      encoder_attention_heads: 2,
      decoder_attention_heads: 2,
      encoder_ffn_dim: 128,
      decoder_ffn_dim: 128,
      max_position_embeddings: 64,
      pad_token_id: 89,
      eos_token_id: 0,
      decoder_start_token_id: 89,
    },
    tasks: ["seq2seq-lm"],
  },
};
