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
      [{ activation_function: "swish" }, /field "activation_function": must be one of gelu_new, gelu, relu/],
      [{ activation_function: "toString" }, /field "activation_function"/],
      [{ model_type: "llama" }, /field "model_type": is "llama", not "gpt2"/],
      [{ model_type: undefined }, /field "model_type"/],
      [{ n_layer: 0 }, /field "n_layer": must be an integer of at least 1/],
      [{ n_embd: 16.5 }, /field "n_embd"/],
      [{ vocab_size: "23" }, /field "vocab_size"/],
      [{ n_positions: -1 }, /field "n_positions"/],
      [{ resid_pdrop: 1.5 }, /field "resid_pdrop": must be a number from 0 to 1/],
      [{ layer_norm_epsilon: Number.NaN }, /field "layer_norm_epsilon"/],
      [{ tie_word_embeddings: false }, /field "tie_word_embeddings"/],
    ],
    layers: { field: "n_layer", path: "transformer.h" },
    dropout: ["resid_pdrop", "embd_pdrop", "attn_pdrop"],
  },
};
