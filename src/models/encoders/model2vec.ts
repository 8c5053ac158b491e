/**
 * Static embeddings: a table of token vectors, whose mean is the vector of a text. Weight names and config
 * fields are those of Model2Vec (https://github.com/MinishLab/model2vec), so that it and sentence-transformers
 * read what is written here; the graph has the inputs of an encoder, since pages have no other pipeline.
 */
import { embed } from "../../nn/linear.ts";
import { normal, type ParamSpec, param, type Weight } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";
import type { Tree } from "../../util/tree.ts";
import { checkFields, flagField, intField } from "../config.ts";
import { architecturesField } from "../head.ts";
import type { Architecture } from "../model.ts";
import { type EncoderConfig, encoderLabels, noCache } from "./encoder.ts";

// B batch, T time, C channels, V vocabulary

/** config.json of a static model. */
export interface Model2VecConfig extends EncoderConfig {
  readonly model_type: "model2vec";
  readonly hidden_dim: number;
  /** The longest text that is read, tokens: the model itself has no limit. */
  readonly seq_length: number;
  readonly normalize: boolean;
}

/** The table. */
export type Model2VecParams<T> = { embeddings: T };

const classes = { features: "StaticModel" } as const;

const parse = (json: unknown): Model2VecConfig => {
  const f = checkFields(json, "model2vec");
  return {
    model_type: "model2vec",
    architectures: architecturesField(f, classes),
    tie_word_embeddings: false,
    vocab_size: intField(f, "vocab_size", 30522),
    hidden_dim: intField(f, "hidden_dim", 256),
    seq_length: intField(f, "seq_length", 1_000_000),
    normalize: flagField(f, "normalize", true),
    pad_token_id: intField(f, "pad_token_id", 0, 0),
    ...encoderLabels(f, "features"),
  };
};

/** Static embeddings. There are no layers, and no matrix is multiplied by. */
export const model2vec: Architecture<Model2VecConfig, Model2VecParams<ParamSpec>> = {
  name: "model2vec",
  kind: "encoder",
  classes,
  // Token weights and a mapping of tokens to rows are of tables that were packed.
  rename: (name) => (name === "embedding.weight" ? "embeddings" : name),
  parse,
  params: (c) => ({ embeddings: param([c.vocab_size, c.hidden_dim], normal(0.1)) }),
  forward: (tree, { inputIds }) => {
    const hidden = embed((tree as Model2VecParams<Parameters<typeof embed>[0]>).embeddings, inputIds);
    return { hidden, logits: hidden, present: [] };
  },
  cache: (c) =>
    noCache({
      vocab: c.vocab_size,
      layers: 0,
      heads: 1,
      width: c.hidden_dim,
      positions: c.seq_length,
    }),
  keepLayers: (config, weights: Tree<Weight>, layers) => {
    if (layers.length === 0) return { config, weights };
    throw new ConfigError("a static model has no layers", { field: "model_type" });
  },
  widths: { neurons: {} },
  linears: () => [{ path: "embeddings", layout: "nk", role: "embedding" }],
};

/** The config of a new model. */
export const model2VecConfig = (
  fields: Partial<Model2VecConfig> & { vocab_size: number; hidden_dim: number },
): Model2VecConfig => parse({ model_type: "model2vec", ...fields });
