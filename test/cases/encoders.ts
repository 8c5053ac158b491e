/**
 * A row for each encoder: a config that is small, configs that must be refused, names of older checkpoints.
 */
export interface EncoderCase {
  /** A file of test/golden. */
  readonly golden: string;
  /** A config of two layers without dropout. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Fields that make the config wrong, and what the error must say. */
  readonly wrong: readonly (readonly [fields: Readonly<Record<string, unknown>>, message: RegExp])[];
  /** The config's field that counts the layers. */
  readonly layers: string;
  /** The config's fields that are dropout rates. */
  readonly dropout: readonly string[];
  /** Most tokens of a text. */
  readonly positions: number;
  /** Names in checkpoints of a class, and the name here; null for what is left out. */
  readonly names: readonly (readonly [kind: string, theirs: string, ours: string | null])[];
}

const shared: EncoderCase["wrong"] = [
  [{ vocab_size: "23" }, /field "vocab_size"/],
  [{ model_type: "llama" }, /field "model_type"/],
  [{ architectures: ["GPT2LMHeadModel"] }, /field "architectures".*not known/],
  [{ tie_word_embeddings: "no" }, /field "tie_word_embeddings": must be true or false/],
];

const bertShared: EncoderCase["wrong"] = [
  ...shared,
  [{ num_attention_heads: 3 }, /field "num_attention_heads": 16 channels do not divide into 3 heads/],
  [{ hidden_act: "prelu" }, /field "hidden_act": must be one of gelu, .*, not "prelu"/],
  [{ hidden_dropout_prob: 1.5 }, /field "hidden_dropout_prob"/],
  [{ layer_norm_eps: Number.NaN }, /field "layer_norm_eps"/],
  [{ num_hidden_layers: 0 }, /field "num_hidden_layers"/],
  [{ position_embedding_type: "relative_key" }, /field "position_embedding_type": is "relative_key"/],
  [{ is_decoder: true }, /field "is_decoder"/],
  [{ add_cross_attention: true }, /field "add_cross_attention"/],
];

const bertSmall = {
  vocab_size: 23,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 24,
  max_position_embeddings: 12,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
};

const bertDropout = ["hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"];

export const encoderCases: Readonly<Record<string, EncoderCase>> = {
  bert: {
    golden: "bert.json",
    config: { model_type: "bert", ...bertSmall },
    wrong: bertShared,
    layers: "num_hidden_layers",
    dropout: bertDropout,
    positions: 12,
    names: [
      ["BertForMaskedLM", "bert.embeddings.position_ids", null],
      ["BertForMaskedLM", "bert.embeddings.token_type_ids", null],
      ["BertModel", "embeddings.position_ids", null],
      ["BertForMaskedLM", "bert.embeddings.LayerNorm.gamma", "bert.embeddings.LayerNorm.weight"],
      [
        "BertForMaskedLM",
        "bert.encoder.layer.0.output.LayerNorm.beta",
        "bert.encoder.layer.0.output.LayerNorm.bias",
      ],
      [
        "BertForMaskedLM",
        "cls.predictions.transform.LayerNorm.gamma",
        "cls.predictions.transform.LayerNorm.weight",
      ],
      ["BertForMaskedLM", "cls.seq_relationship.weight", null],
      ["BertForPreTraining", "cls.seq_relationship.bias", null],
      ["BertForMaskedLM", "cls.predictions.bias", "cls.predictions.bias"],
      ["BertForMaskedLM", "bert.pooler.dense.weight", null],
      ["BertModel", "pooler.dense.weight", null],
      ["BertModel", "bert.pooler.dense.bias", null],
      ["BertModel", "cls.predictions.bias", null],
      ["BertForTokenClassification", "bert.pooler.dense.weight", null],
      ["BertForSequenceClassification", "bert.pooler.dense.weight", "bert.pooler.dense.weight"],
      ["BertForSequenceClassification", "classifier.weight", "classifier.weight"],
    ],
  },
  roberta: {
    golden: "roberta.json",
    config: { model_type: "roberta", ...bertSmall, type_vocab_size: 1 },
    wrong: [
      ...bertShared,
      [{ pad_token_id: 11 }, /field "max_position_embeddings": leaves no position behind the padding's 11/],
    ],
    layers: "num_hidden_layers",
    dropout: bertDropout,
    positions: 10,
    names: [
      ["RobertaForMaskedLM", "roberta.embeddings.position_ids", null],
      ["RobertaForMaskedLM", "lm_head.bias", "lm_head.bias"],
      ["RobertaForMaskedLM", "roberta.pooler.dense.weight", null],
      ["RobertaModel", "pooler.dense.weight", null],
      ["RobertaModel", "lm_head.dense.weight", null],
      ["RobertaForSequenceClassification", "classifier.out_proj.weight", "classifier.out_proj.weight"],
    ],
  },
  "xlm-roberta": {
    golden: "xlmRoberta.json",
    config: { model_type: "xlm-roberta", ...bertSmall, type_vocab_size: 1 },
    wrong: [
      ...bertShared,
      [{ model_type: "xlm" }, /field "model_type"/],
      [{ pad_token_id: 11 }, /field "max_position_embeddings": leaves no position behind the padding's 11/],
    ],
    layers: "num_hidden_layers",
    dropout: bertDropout,
    positions: 10,
    names: [
      ["XLMRobertaForMaskedLM", "roberta.embeddings.position_ids", null],
      ["XLMRobertaForMaskedLM", "lm_head.bias", "lm_head.bias"],
      ["XLMRobertaForMaskedLM", "roberta.pooler.dense.weight", null],
      ["XLMRobertaModel", "pooler.dense.weight", null],
      ["XLMRobertaForSequenceClassification", "classifier.out_proj.weight", "classifier.out_proj.weight"],
    ],
  },
  electra: {
    golden: "electra.json",
    config: { model_type: "electra", ...bertSmall, embedding_size: 8, architectures: ["ElectraForMaskedLM"] },
    wrong: [...bertShared, [{ embedding_size: 0 }, /field "embedding_size"/]],
    layers: "num_hidden_layers",
    dropout: bertDropout,
    positions: 12,
    names: [
      ["ElectraForPreTraining", "electra.embeddings.position_ids", null],
      ["ElectraForPreTraining", "electra.embeddings_project.weight", "electra.embeddings_project.weight"],
      ["ElectraForPreTraining", "generator_lm_head.bias", null],
      ["ElectraForMaskedLM", "generator_lm_head.bias", "generator_lm_head.bias"],
      ["ElectraForMaskedLM", "discriminator_predictions.dense.weight", null],
      ["ElectraForSequenceClassification", "discriminator_predictions.dense.weight", null],
      ["ElectraForSequenceClassification", "classifier.out_proj.weight", "classifier.out_proj.weight"],
      ["ElectraForTokenClassification", "classifier.weight", "classifier.weight"],
      ["ElectraModel", "embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"],
    ],
  },
  mpnet: {
    golden: "mpnet.json",
    config: { model_type: "mpnet", ...bertSmall, relative_attention_num_buckets: 32 },
    wrong: [
      ...bertShared,
      [{ max_position_embeddings: 2 }, /field "max_position_embeddings": leaves no position behind/],
      [{ relative_attention_num_buckets: 16 }, /field "relative_attention_num_buckets": is 16/],
    ],
    layers: "num_hidden_layers",
    dropout: ["hidden_dropout_prob", "attention_probs_dropout_prob"],
    positions: 10,
    names: [
      ["MPNetForMaskedLM", "mpnet.embeddings.position_ids", null],
      ["MPNetForMaskedLM", "mpnet.pooler.dense.weight", null],
      ["MPNetModel", "pooler.dense.weight", null],
      ["MPNetModel", "lm_head.dense.weight", null],
      [
        "MPNetModel",
        "mpnet.encoder.relative_attention_bias.weight",
        "mpnet.encoder.relative_attention_bias.weight",
      ],
    ],
  },
  modernbert: {
    golden: "modernbert.json",
    config: {
      model_type: "modernbert",
      vocab_size: 23,
      hidden_size: 16,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      intermediate_size: 12,
      max_position_embeddings: 12,
      pad_token_id: 0,
      local_attention: 4,
    },
    wrong: [
      ...shared,
      [{ num_attention_heads: 3 }, /field "num_attention_heads": 16 channels do not divide into 3 heads/],
      [{ num_attention_heads: 16 }, /field "num_attention_heads": heads of 1 have no halves to turn/],
      [{ hidden_activation: "prelu" }, /field "hidden_activation": must be one of gelu/],
      [{ mlp_dropout: -1 }, /field "mlp_dropout"/],
      [{ layer_types: ["full_attention"] }, /field "layer_types": must be a list of 2 types/],
      [
        { layer_types: ["full_attention", "chunked"] },
        /field "layer_types.1": must be one of full_attention/,
      ],
      [{ classifier_pooling: "max" }, /field "classifier_pooling": must be one of cls, mean/],
      [{ rope_scaling: { rope_type: "yarn", factor: 2 } }, /field "rope_scaling": .*yarn.* is not supported/],
      [
        { rope_parameters: { full_attention: { rope_type: "linear", factor: 2 } } },
        /field "rope_parameters.full_attention.rope_type": "linear" is not supported/,
      ],
    ],
    layers: "num_hidden_layers",
    dropout: ["embedding_dropout", "attention_dropout", "mlp_dropout", "classifier_dropout"],
    positions: 12,
    names: [
      ["ModernBertForMaskedLM", "decoder.bias", "decoder.bias"],
      ["ModernBertForMaskedLM", "head.norm.weight", "head.norm.weight"],
      ["ModernBertForSequenceClassification", "decoder.bias", null],
      ["ModernBertForSequenceClassification", "head.dense.weight", "head.dense.weight"],
      ["ModernBertModel", "head.dense.weight", null],
      ["ModernBertModel", "embeddings.tok_embeddings.weight", "embeddings.tok_embeddings.weight"],
      ["ModernBertModel", "layers.0.mlp.Wi.weight", "layers.0.mlp.Wi.weight"],
    ],
  },
  distilbert: {
    golden: "distilbert.json",
    config: {
      model_type: "distilbert",
      vocab_size: 23,
      dim: 16,
      n_layers: 2,
      n_heads: 2,
      hidden_dim: 24,
      max_position_embeddings: 12,
      dropout: 0,
      attention_dropout: 0,
      seq_classif_dropout: 0,
    },
    wrong: [
      ...shared,
      [{ n_heads: 3 }, /field "n_heads": 16 channels do not divide into 3 heads/],
      [{ activation: "xielu" }, /field "activation"/],
      [{ dropout: -1 }, /field "dropout"/],
    ],
    layers: "n_layers",
    dropout: ["dropout", "attention_dropout", "seq_classif_dropout"],
    positions: 12,
    names: [
      ["DistilBertForMaskedLM", "distilbert.embeddings.position_ids", null],
      ["DistilBertForMaskedLM", "vocab_projector.bias", "vocab_projector.bias"],
      ["DistilBertModel", "vocab_transform.weight", null],
      ["DistilBertModel", "embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"],
      ["DistilBertForSequenceClassification", "pre_classifier.weight", "pre_classifier.weight"],
    ],
  },
};
