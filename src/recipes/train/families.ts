/** The families that a fresh model can be of: what it learns, its tokenizer's marks, its shape. */

import { freshRange } from "../../models/decoders/config.ts";
import { gpt2, gpt2Config } from "../../models/decoders/gpt2.ts";
import { llama, llamaConfig } from "../../models/decoders/llama.ts";
import { qwen2, qwen2Config } from "../../models/decoders/qwen2.ts";
import { qwen3, qwen3Config } from "../../models/decoders/qwen3.ts";
import { bert, bertConfig } from "../../models/encoders/bert.ts";
import { distilBertConfig, distilbert } from "../../models/encoders/distilbert.ts";
import { electra, electraConfig } from "../../models/encoders/electra.ts";
import { modernBertConfig, modernbert } from "../../models/encoders/modernbert.ts";
import { roberta, robertaConfig } from "../../models/encoders/roberta.ts";
import type { Architecture, ModelConfig } from "../../models/model.ts";
import { marian } from "../../models/seq2seq/marian.ts";
import { t5 } from "../../models/seq2seq/t5.ts";
import type { TaskName } from "../../tasks/index.ts";
import { type Marks, marks } from "../../tokenizer/bpe/marked.ts";
import type { SpecialIds } from "../../tokenizer/index.ts";
import type { Family, ModelOptions } from "../config/options.ts";

/** What a fresh model is made of. */
export interface Shape extends ModelOptions {
  readonly dropout: number;
  readonly vocab_size: number;
  /** What ends a text. */
  readonly eos: number;
  readonly specials: SpecialIds;
}

interface FamilyForm {
  readonly task: TaskName;
  /** Of a tokenizer that is learned for it; one that ends texts and nothing else unless told. */
  readonly marks?: Marks;
  shape(shape: Shape): [Architecture, ModelConfig];
}

/**
 * The gated MLP of Llama has three matrices where GPT-2's has two: two thirds of the width make as many
 * params (Shazeer 2020, https://arxiv.org/abs/2002.05202).
 */
const gatedWidth = (width: number): number => 32 * Math.ceil((8 * width) / 3 / 32);

const llamaFields = ({ vocab_size, n_embd, n_layer, n_head, n_positions, dropout, eos }: Shape) => ({
  vocab_size,
  hidden_size: n_embd,
  intermediate_size: gatedWidth(n_embd),
  num_hidden_layers: n_layer,
  num_attention_heads: n_head,
  num_key_value_heads: n_head,
  head_dim: n_embd / n_head,
  max_position_embeddings: n_positions,
  attention_dropout: dropout,
  bos_token_id: eos,
  eos_token_id: eos,
  pad_token_id: eos,
});

/**
 * Spread of the first weights: BERT's 0.02 is for a width of 768. At a smaller width as small a spread lets
 * hardly anything of a text through to a masked place, and much of the training goes by before more is
 * learnt than how often each token occurs.
 */
const spreadAt = (width: number): number =>
  Number((0.02 * Math.sqrt(768 / Math.min(width, 768))).toPrecision(3));

const bertFields = ({ vocab_size, n_embd, n_layer, n_head, dropout, specials, eos }: Shape) => ({
  vocab_size,
  hidden_size: n_embd,
  num_hidden_layers: n_layer,
  num_attention_heads: n_head,
  intermediate_size: 4 * n_embd,
  hidden_dropout_prob: dropout,
  attention_probs_dropout_prob: dropout,
  initializer_range: spreadAt(n_embd),
  pad_token_id: specials.pad ?? eos,
});

const distilBertFields = ({ vocab_size, n_embd, n_layer, n_head, n_positions, ...rest }: Shape) => ({
  vocab_size,
  dim: n_embd,
  n_layers: n_layer,
  n_heads: n_head,
  hidden_dim: 4 * n_embd,
  max_position_embeddings: n_positions,
  dropout: rest.dropout,
  attention_dropout: rest.dropout,
  initializer_range: spreadAt(n_embd),
  pad_token_id: rest.specials.pad ?? rest.eos,
});

const modernBertFields = ({ vocab_size, n_embd, n_layer, n_head, n_positions, ...rest }: Shape) => ({
  vocab_size,
  hidden_size: n_embd,
  num_hidden_layers: n_layer,
  num_attention_heads: n_head,
  intermediate_size: gatedWidth(n_embd),
  max_position_embeddings: n_positions,
  embedding_dropout: rest.dropout,
  attention_dropout: rest.dropout,
  mlp_dropout: rest.dropout,
  ...{ bos_token_id: rest.specials.cls ?? rest.eos, cls_token_id: rest.specials.cls ?? rest.eos },
  ...{ eos_token_id: rest.specials.sep ?? rest.eos, sep_token_id: rest.specials.sep ?? rest.eos },
  // A first token that is fresh knows nothing of a text yet.
  classifier_pooling: "mean" as const,
  initializer_range: spreadAt(n_embd),
  pad_token_id: rest.specials.pad ?? rest.eos,
});

const t5Fields = ({ vocab_size, n_embd, n_layer, n_head, dropout, specials, eos }: Shape) => ({
  model_type: "t5",
  vocab_size,
  d_model: n_embd,
  d_kv: n_embd / n_head,
  d_ff: gatedWidth(n_embd),
  num_layers: n_layer,
  num_decoder_layers: n_layer,
  num_heads: n_head,
  feed_forward_proj: "gated-gelu",
  dropout_rate: dropout,
  pad_token_id: specials.pad ?? eos,
  eos_token_id: eos,
  decoder_start_token_id: specials.pad ?? eos,
});

const marianFields = ({ vocab_size, n_embd, n_layer, n_head, n_positions, ...rest }: Shape) => ({
  model_type: "marian",
  vocab_size,
  d_model: n_embd,
  encoder_layers: n_layer,
  decoder_layers: n_layer,
  encoder_attention_heads: n_head,
  decoder_attention_heads: n_head,
  encoder_ffn_dim: 4 * n_embd,
  decoder_ffn_dim: 4 * n_embd,
  activation_function: "swish",
  max_position_embeddings: n_positions,
  dropout: rest.dropout,
  init_std: freshRange(n_embd),
  scale_embedding: true,
  pad_token_id: rest.specials.pad ?? rest.eos,
  eos_token_id: rest.eos,
  decoder_start_token_id: rest.specials.pad ?? rest.eos,
  forced_eos_token_id: rest.eos,
});

/** By the name of `model.family`. */
export const families: Readonly<Record<Family, FamilyForm>> = {
  gpt2: {
    task: "causal-lm",
    shape: ({ vocab_size, n_embd, n_layer, n_head, n_positions, dropout, activation_function, eos }) => {
      const sizes = { vocab_size, n_embd, n_layer, n_head, n_positions, activation_function };
      const rates = { resid_pdrop: dropout, embd_pdrop: dropout, attn_pdrop: dropout };
      return [gpt2, gpt2Config({ ...sizes, ...rates, bos_token_id: eos, eos_token_id: eos })];
    },
  },
  llama: { task: "causal-lm", shape: (s) => [llama, llamaConfig(llamaFields(s))] },
  qwen2: { task: "causal-lm", shape: (s) => [qwen2, qwen2Config(llamaFields(s))] },
  qwen3: { task: "causal-lm", shape: (s) => [qwen3, qwen3Config(llamaFields(s))] },
  bert: {
    task: "masked-lm",
    marks: marks.bert,
    shape: (s) => [bert, bertConfig({ ...bertFields(s), max_position_embeddings: s.n_positions })],
  },
  roberta: {
    task: "masked-lm",
    marks: marks.roberta,
    // Positions are counted from behind the padding's id.
    shape: (s) => {
      const fields = bertFields(s);
      const max_position_embeddings = s.n_positions + fields.pad_token_id + 1;
      const ids = { bos_token_id: s.specials.bos ?? s.eos, eos_token_id: s.eos };
      return [roberta, robertaConfig({ ...fields, ...ids, max_position_embeddings })];
    },
  },
  distilbert: {
    task: "masked-lm",
    marks: marks.bert,
    shape: (s) => [distilbert, distilBertConfig(distilBertFields(s))],
  },
  electra: {
    task: "replaced-token-detection",
    marks: marks.bert,
    shape: (s) => [electra, electraConfig({ ...bertFields(s), max_position_embeddings: s.n_positions })],
  },
  modernbert: {
    task: "masked-lm",
    marks: marks.bert,
    shape: (s) => [modernbert, modernBertConfig(modernBertFields(s))],
  },
  t5: { task: "seq2seq-lm", marks: marks.t5, shape: (s) => [t5, t5.parse(t5Fields(s))] },
  marian: { task: "seq2seq-lm", marks: marks.marian, shape: (s) => [marian, marian.parse(marianFields(s))] },
};
