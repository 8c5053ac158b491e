// What `bench scaling` compares by its bits: a decoder, a classifier of texts, and a decoder whose adapters train.
import { gpt2, gpt2Config } from "../../../dist/models/decoders/gpt2.js";
import { bert, bertConfig } from "../../../dist/models/encoders/bert.js";
import { initialize } from "../../../dist/nn/param.js";
import { defaults } from "../../../dist/recipes/config/options.js";
import { methodOf } from "../../../dist/recipes/train/method.js";
import { languageModelling } from "../../../dist/tasks/languageModelling.js";
import { sequenceClassification } from "../../../dist/tasks/sequenceClassification.js";
import { rng } from "../../../dist/util/rng.js";

const modelOf = (arch, config) => ({
  ...{ arch, config, history: [] },
  weights: initialize(arch.params(config), 1),
});

const decoderOf = ({ vocab, width, layers, heads, context }) =>
  modelOf(
    gpt2,
    gpt2Config({ vocab_size: vocab, n_positions: context, n_embd: width, n_layer: layers, n_head: heads }),
  );

/** Each as what trains, what of it stands still, and what is learnt. */
export const subjects = {
  decoder: (size) => ({ model: decoderOf(size), frozen: () => false, objective: languageModelling }),
  classifier: ({ vocab, width, layers, heads, context }) => ({
    model: modelOf(
      bert,
      bertConfig({
        ...{ vocab_size: vocab, max_position_embeddings: context, hidden_size: width },
        ...{ num_hidden_layers: layers, num_attention_heads: heads, intermediate_size: 4 * width },
        ...{ architectures: ["BertForSequenceClassification"] },
        ...{ hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 },
      }),
    ),
    frozen: () => false,
    objective: sequenceClassification(),
  }),
  lora: (size) => {
    const adapter = { ...defaults.adapter, rank: 4 };
    const { model, frozen } = methodOf(decoderOf(size), { ...defaults, seed: 1, adapter });
    return { model, frozen, objective: languageModelling };
  },
};

/** The types of a batch of an objective. */
export const typesOf = ({ objective }, { batch, context, vocab }) => ({
  inputIds: { dtype: "int32", shape: [batch, context] },
  ...objective.inputs({ batch, context, vocab }),
});

/** A batch of random whole numbers, the same on each process: [shape] of each input by its type. */
export const numbersOf = (step, types, { batch, vocab }) => {
  const r = rng(step, "scaling");
  const values = (name, size) =>
    Array.from({ length: size }, () =>
      name === "attentionMask" ? 1 : r.int(name === "labels" && size === batch ? 2 : vocab),
    );
  return Object.entries(types).map(([name, { dtype, shape }]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return [name, dtype, shape, values(name, size)];
  });
};
