/** A row for each sequence-to-sequence architecture; see models.ts, whose rows are those of one stack. */
import type { ModelCase } from "./models.ts";

export type Seq2SeqCase = Pick<ModelCase, "golden" | "config" | "wrong" | "dropout"> & {
  /** Names of a checkpoint with what `rename` makes of them for `config`. */
  readonly renamed: Readonly<Record<string, string | null>>;
  /** The config's fields that count the layers. */
  readonly layers: readonly [encoder: string, decoder: string];
};

export const seq2seqCases: Readonly<Record<string, Seq2SeqCase>> = {
  t5: {
    golden: "t5.json",
    config: {
      model_type: "t5",
      vocab_size: 23,
      d_model: 16,
      d_kv: 6,
      d_ff: 24,
      num_heads: 2,
      num_layers: 2,
      dropout_rate: 0,
      relative_attention_num_buckets: 8,
      relative_attention_max_distance: 10,
    },
    wrong: [
      [{ model_type: "mt5" }, /field "model_type": is "mt5", not "t5"/],
      [{ num_layers: 0 }, /field "num_layers": must be an integer of at least 1/],
      [{ num_decoder_layers: 1.5 }, /field "num_decoder_layers"/],
      [{ d_kv: -1 }, /field "d_kv"/],
      [{ feed_forward_proj: "gated-prelu" }, /field "feed_forward_proj": must be one of gelu, .*, "gated-"/],
      [{ feed_forward_proj: "swiglu-gelu" }, /field "feed_forward_proj"/],
      [{ dense_act_fn: "geglu" }, /field "dense_act_fn"/],
      [{ feed_forward_proj: "toString" }, /field "feed_forward_proj"/],
      [{ dropout_rate: 2 }, /field "dropout_rate": must be a number from 0 to 1/],
      [{ relative_attention_max_distance: 4 }, /"relative_attention_max_distance": 4 leaves no far/],
      [{ relative_attention_num_buckets: 2 }, /field "relative_attention_num_buckets"/],
      [{ eos_token_id: [1, "2"] }, /field "eos_token_id"/],
      [{ decoder_start_token_id: -1 }, /field "decoder_start_token_id"/],
      [{ architectures: ["T5EncoderModel"] }, /field "architectures".*T5EncoderModel/],
    ],
    renamed: {
      "shared.weight": "shared.weight",
      "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": null,
      "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight":
        "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
    },
    layers: ["num_layers", "num_decoder_layers"],
    dropout: ["dropout_rate"],
  },
  marian: {
    golden: "marian.json",
    config: {
      model_type: "marian",
      vocab_size: 23,
      d_model: 16,
      max_position_embeddings: 32,
      encoder_layers: 2,
      encoder_attention_heads: 2,
      encoder_ffn_dim: 24,
      decoder_layers: 2,
      decoder_attention_heads: 2,
      decoder_ffn_dim: 24,
      dropout: 0,
      pad_token_id: 0,
      eos_token_id: 1,
    },
    wrong: [
      [{ encoder_attention_heads: 3 }, /"encoder_attention_heads": 16 channels do not divide into 3 heads/],
      [{ decoder_attention_heads: 5 }, /field "decoder_attention_heads"/],
      [{ activation_function: "prelu" }, /field "activation_function": must be one of gelu, /],
      [{ scale_embedding: 1 }, /field "scale_embedding": must be true or false/],
      [{ static_position_embeddings: false }, /field "static_position_embeddings"/],
      [{ normalize_before: true }, /field "normalize_before"/],
      [{ tie_word_embeddings: "no" }, /field "tie_word_embeddings"/],
      [{ max_position_embeddings: 0 }, /field "max_position_embeddings"/],
      [{ pad_token_id: null, vocab_size: 0 }, /field "vocab_size"/],
      [{ decoder_layers: "2" }, /field "decoder_layers"/],
      [{ attention_dropout: -0.1 }, /field "attention_dropout"/],
    ],
    renamed: {
      "model.shared.weight": "model.shared.weight",
      "model.encoder.embed_positions.weight": null,
      "model.decoder.embed_positions.weight": null,
      final_logits_bias: "final_logits_bias",
    },
    layers: ["encoder_layers", "decoder_layers"],
    dropout: ["dropout", "attention_dropout", "activation_dropout"],
  },
};
