/**
 * Static embeddings of an embedding model, as Model2Vec makes them
 * (https://github.com/MinishLab/model2vec): what the model makes of each token alone, along the principal
 * components of all but the strongest, weighted by how rare the token is (SIF: Arora et al. 2017,
 * https://openreview.net/forum?id=SyK00v5xx). Counts of the user's text stand in for Zipf's law, of which
 * that is an estimate. Marks around texts get no vector.
 */
import type { Engine } from "../../engine/engine.ts";
import { tensor } from "../../ir/tensor.ts";
import { readsTokenTypes } from "../../models/encoders/encoder.ts";
import { model2VecConfig, model2vec } from "../../models/encoders/model2vec.ts";
import type { Model } from "../../models/model.ts";
import { sentenceEmbedding } from "../../models/pooling.ts";
import { saidOf } from "../../tasks/scores.ts";
import { ConfigError } from "../../util/errors.ts";
import type { Pass } from "../pass.ts";
import { principal } from "./principal.ts";

/** What a static model is made with. */
export interface StaticOptions {
  /** Channels of a vector. */
  readonly dims: number;
  /** Ids that stand around a text. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** Ids without meaning of their own: marks, padding. */
  readonly marks: ReadonlySet<number>;
  readonly pad: number;
  /** How often each token was counted; by Zipf's law of the ids' order unless told. */
  readonly counts?: Float64Array;
}

/** Texts of one token that are read at once. */
const AT_ONCE = 256;
/**
 * Share of the strongest components that are left out: they are common to all tokens and tell little of a
 * text (Mu and Viswanath 2018, https://arxiv.org/abs/1702.01417, who leave out one in a hundred).
 */
const COMMON = 0.01;
/** SIF's a: tokens of this probability get half the weight of the rarest. */
const SIF = 1e-4;

/** What the model makes of each token between its marks: [V, C]. */
const tokenVectors = async (engine: Engine, model: Model, { before, after }: StaticOptions) => {
  const vocab = model.config.vocab_size as number;
  const length = before.length + 1 + after.length;
  const windows = Array.from({ length: Math.ceil(vocab / AT_ONCE) }, (_, w) => {
    const rows = Array.from({ length: AT_ONCE }, (_, i) => Math.min(vocab - 1, w * AT_ONCE + i));
    const ids = Int32Array.from(rows.flatMap((id) => [...before, id, ...after]));
    const of = (data: Int32Array) => tensor("int32", [AT_ONCE, length], data);
    const types = readsTokenTypes(model.config) ? { tokenTypeIds: of(new Int32Array(ids.length)) } : {};
    return { inputIds: of(ids), attentionMask: of(new Int32Array(ids.length).fill(1)), ...types };
  });
  const pooling = { mode: "mean", normalize: false } as const;
  const said = await saidOf(engine, model, windows, ({ hidden }, { attentionMask }) => ({
    vectors: sentenceEmbedding(hidden, attentionMask!, pooling),
  }));
  const width = said[0]!.vectors!.shape[1]!;
  const data = new Float32Array(vocab * width);
  said.forEach(({ vectors }, w) => {
    const rows = Math.min(AT_ONCE, vocab - w * AT_ONCE);
    data.set((vectors!.data as Float32Array).subarray(0, rows * width), w * AT_ONCE * width);
  });
  return { data, rows: vocab, width };
};

/** a / (a + p) of each token's probability, from counts to which 1 is added, else by Zipf's law. */
const weightsOf = (vocab: number, counts: Float64Array | undefined): Float64Array => {
  const raw = Float64Array.from({ length: vocab }, (_, id) => (counts ? counts[id]! + 1 : 1 / (id + 2)));
  const all = raw.reduce((a, b) => a + b, 0);
  return raw.map((x) => SIF / (SIF + x / all));
};

/**
 * The pass that makes a static model of an embedding model. Throws ConfigError for another kind of model, and
 * for more dims than it has channels.
 */
export const staticEmbedding = (options: StaticOptions): Pass => {
  const { dims, marks, counts, pad } = options;
  const pass = { name: "static", options: { dims, sif: SIF, counted: counts !== undefined } };
  return {
    ...pass,
    run: async (model, { engine }) => {
      if (model.arch.kind !== "encoder" || model.arch.name === "model2vec") {
        throw new ConfigError(`is a ${model.arch.name}: static models are made of encoders`, {
          field: "distill.static",
        });
      }
      const table = await tokenVectors(engine, model, options);
      if (!Number.isInteger(dims) || dims < 1 || dims > table.width) {
        throw new ConfigError(`${dims} is not from 1 to the model's ${table.width} channels`, {
          field: "distill.dims",
        });
      }
      const skip = Math.min(Math.floor(table.width * COMMON), table.width - dims);
      const data = principal(table, dims, { counts: (id) => !marks.has(id), skip });
      weightsOf(table.rows, counts).forEach((weight, id) => {
        for (let c = id * dims; c < (id + 1) * dims; c++) data[c]! *= weight;
      });
      const config = model2VecConfig({ vocab_size: table.rows, hidden_dim: dims, pad_token_id: pad });
      return {
        arch: model2vec,
        config,
        weights: { embeddings: tensor("float32", [table.rows, dims], data) },
        pooling: { mode: "mean", normalize: true },
        history: [...model.history, { name: pass.name, options: pass.options }],
      };
    },
  };
};
