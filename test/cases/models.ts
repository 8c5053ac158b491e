/** A row for each architecture: its golden, a config that is small, and configs that must be refused. */
export interface ModelCase {
  /** A file of test/golden. */
  readonly golden: string;
  /** A config of two layers without dropout. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Fields that make the config wrong, and what the error must say. */
  readonly wrong: readonly (readonly [fields: Readonly<Record<string, unknown>>, message: RegExp])[];
  /** The config's field that counts the layers, and where in the weights' tree they are. */
  readonly layers: { readonly field: string; readonly path: string };
  /** The config's fields that are dropout rates. */
  readonly dropout: readonly string[];
}

export const modelCases: Readonly<Record<string, ModelCase>> = {
  gpt2: {
    golden: "gpt2.json",
    config: {
      model_type: "gpt2",
      vocab_size: 23,
      n_positions: 12,
      n_embd: 16,
      n_layer: 2,
      n_head: 2,
      resid_pdrop: 0,
      embd_pdrop: 0,
      attn_pdrop: 0,
    },
    wrong: [
      [{ n_head: 3 }, /field "n_head": 16 channels do not divide into 3 heads/],
      [{ activation_function: "prelu" }, /field "activation_function": must be one of gelu, .*, not "prelu"/],
      [{ activation_function: "toString" }, /field "activation_function"/],
      [{ model_type: "llama" }, /field "model_type": is "llama", not "gpt2"/],
      [{ model_type: undefined }, /field "model_type"/],
      [{ n_layer: 0 }, /field "n_layer": must be an integer of at least 1/],
      [{ n_embd: 16.5 }, /field "n_embd"/],
      [{ vocab_size: "23" }, /field "vocab_size"/],
      [{ n_positions: -1 }, /field "n_positions"/],
      [{ resid_pdrop: 1.5 }, /field "resid_pdrop": must be a number from 0 to 1/],
      [{ layer_norm_epsilon: Number.NaN }, /field "layer_norm_epsilon"/],
      [{ tie_word_embeddings: "no" }, /field "tie_word_embeddings"/],
      [{ scale_attn_by_inverse_layer_idx: 1 }, /field "scale_attn_by_inverse_layer_idx"/],
      [{ scale_attn_weights: "no" }, /field "scale_attn_weights"/],
      [{ add_cross_attention: true }, /field "add_cross_attention"/],
      [{ architectures: ["GPT2DoubleHeadsModel"] }, /field "architectures": .*not known/],
    ],
    layers: { field: "n_layer", path: "transformer.h" },
    dropout: ["resid_pdrop", "embd_pdrop", "attn_pdrop"],
  },
  llama: {
    golden: "llama.json",
    config: {
      model_type: "llama",
      vocab_size: 23,
      hidden_size: 16,
      intermediate_size: 24,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 8,
      max_position_embeddings: 32,
      attention_bias: true,
      mlp_bias: true,
      rope_theta: 100,
      rope_scaling: {
        rope_type: "llama3",
        factor: 4,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 16,
      },
    },
    wrong: [
      [
        { num_key_value_heads: 3 },
        /field "num_key_value_heads": 4 heads do not divide into groups for 3 keys/,
      ],
      [{ head_dim: null, num_attention_heads: 3 }, /field "num_attention_heads": 16 channels do not divide/],
      [{ head_dim: 7 }, /field "head_dim": heads of 7 have no halves to turn/],
      [{ hidden_act: "swiglu" }, /field "hidden_act": must be one of gelu, .*silu, /],
      [{ attention_bias: "yes" }, /field "attention_bias": must be true or false, not "yes"/],
      [{ num_hidden_layers: 0 }, /field "num_hidden_layers": must be an integer of at least 1/],
      [{ rope_scaling: { rope_type: "longrope" } }, /field "rope_scaling.rope_type": is "longrope".*llama3/],
      [{ rope_scaling: { type: "linear" } }, /field "rope_scaling.factor": is missing/],
      [
        { rope_scaling: { type: "linear", factor: 0.5 } },
        /field "rope_scaling.factor": must be a number from 1/,
      ],
      [{ rope_scaling: null, rope_parameters: { rope_type: "dynamic" } }, /field "rope_parameters.factor"/],
      [
        { rope_scaling: { rope_type: "llama3", factor: 2, low_freq_factor: 4, high_freq_factor: 4 } },
        /field "rope_scaling.high_freq_factor": must be more than low_freq_factor, 4/,
      ],
      [{ rope_scaling: "linear" }, /field "rope_scaling": must be an object/],
      [{ rope_theta: -1 }, /field "rope_theta"/],
      [{ partial_rotary_factor: 0.5 }, /field "partial_rotary_factor": is 0.5; only rotation of whole heads/],
      [{ architectures: ["LlamaForQuestionAnswering"] }, /field "architectures"/],
      [{ eos_token_id: [1, -2] }, /field "eos_token_id.1"/],
      [{ architectures: ["LlamaForSequenceClassification"], id2label: { 1: "b" } }, /field "id2label"/],
    ],
    layers: { field: "num_hidden_layers", path: "model.layers" },
    dropout: ["attention_dropout"],
  },
  qwen2: {
    golden: "qwen2.json",
    config: {
      model_type: "qwen2",
      vocab_size: 23,
      hidden_size: 32,
      intermediate_size: 24,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      max_position_embeddings: 32,
      tie_word_embeddings: true,
      rope_parameters: { rope_type: "default", rope_theta: 1e6 },
      use_sliding_window: false,
      sliding_window: 16,
      max_window_layers: 1,
    },
    wrong: [
      [
        { use_sliding_window: true },
        /field "use_sliding_window": attention in a sliding window is not supported/,
      ],
      [
        { use_sliding_window: true, layer_types: ["full_attention", "sliding_attention"] },
        /field "layer_types".*sliding window/,
      ],
      [{ layer_types: ["full_attention", "linear_attention"] }, /field "layer_types"/],
      [{ rope_parameters: { rope_type: "axial" } }, /field "rope_parameters.rope_type": is "axial"/],
      [{ tie_word_embeddings: 1 }, /field "tie_word_embeddings"/],
      [{ model_type: "qwen" }, /field "model_type": is "qwen", not "qwen2"/],
    ],
    layers: { field: "num_hidden_layers", path: "model.layers" },
    dropout: ["attention_dropout"],
  },
  qwen3: {
    golden: "qwen3.json",
    config: {
      model_type: "qwen3",
      vocab_size: 23,
      hidden_size: 20,
      intermediate_size: 24,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 8,
      max_position_embeddings: 32,
      tie_word_embeddings: true,
      rope_theta: 1e6,
      rope_scaling: { type: "yarn", factor: 4, original_max_position_embeddings: 8 },
    },
    wrong: [
      [{ use_sliding_window: true, sliding_window: 4, max_window_layers: 1 }, /field "use_sliding_window"/],
      [{ rms_norm_eps: -1 }, /field "rms_norm_eps"/],
      [{ rope_scaling: { type: "yarn", factor: "4" } }, /field "rope_scaling.factor"/],
    ],
    layers: { field: "num_hidden_layers", path: "model.layers" },
    dropout: ["attention_dropout"],
  },
};
