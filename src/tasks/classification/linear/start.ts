/**
 * Embeddings that begin with what a linear model makes of each token: one direction a regression,
 * along which a token lies as far as its log-odds, so that a network from nothing knows the words on its
 * first update, and those that no labelled text has by how they are spelled.
 */
import { tensor } from "../../../ir/tensor.ts";
import type { Model } from "../../../models/model.ts";
import { tensorsOf, withTensors } from "../../../nn/param.ts";
import type { Tokenizer } from "../../../tokenizer/index.ts";
import { ConfigError } from "../../../util/errors.ts";
import { rng } from "../../../util/rng.ts";
import type { Example } from "../../records.ts";
import { type LinearTexts, linearTexts } from "./linearTexts.ts";

/** How far a token of one standard deviation lies, as a share of an embedding's mean length. */
const STRENGTH = 1;

/** The texts of examples, as their tokens have them, and their labels' ids. */
export const textsOf = (examples: readonly Example[], tokenizer: Tokenizer) => ({
  texts: examples.map(({ parts }) => tokenizer.decode(Uint32Array.from(parts.ids!))),
  labels: examples.map(({ parts }) => parts.labels![0]!),
});

/** The linear model of examples with one of `classes` labels each. */
export const linearOf = (
  examples: readonly Example[],
  tokenizer: Tokenizer,
  classes: number,
): LinearTexts => {
  const { texts, labels } = textsOf(examples, tokenizer);
  return linearTexts(texts, labels, classes);
};

/** What each token adds to log-odds, of mean 0 and deviation 1; 0 of special tokens: [regressions][V]. */
const tokenScores = (linear: LinearTexts, tokenizer: Tokenizer): Float64Array[] => {
  const special = new Set(Object.values(tokenizer.specials));
  const size = tokenizer.vocabSize;
  const plain = Array.from({ length: size }, (_, id) => id).filter((id) => !special.has(id));
  const said = plain.map((id) => linear.share(tokenizer.decode([id]).trim()));
  return said[0]!.map((_, r) => {
    const mean = said.reduce((sum, each) => sum + each[r]!, 0) / said.length;
    const spread = Math.sqrt(said.reduce((sum, each) => sum + (each[r]! - mean) ** 2, 0) / said.length);
    const scores = new Float64Array(size);
    plain.forEach((id, i) => {
      scores[id] = (said[i]![r]! - mean) / Math.max(spread, 1e-12);
    });
    return scores;
  });
};

const unit = (width: number, next: () => number): Float64Array => {
  const direction = Float64Array.from({ length: width }, next);
  const length = Math.sqrt(direction.reduce((sum, x) => sum + x * x, 0));
  return direction.map((x) => x / length);
};

/**
 * The model with its token embeddings moved along a random direction for each regression of `linear`.
 * Throws ConfigError for a model whose embeddings are no table of its own.
 */
export const linearStart = (
  model: Model,
  linear: LinearTexts,
  { tokenizer, seed }: { readonly tokenizer: Tokenizer; readonly seed: number },
): Model => {
  const path = model.arch.linears(model.config).find(({ role }) => role === "embedding")?.path;
  const table = path === undefined ? undefined : new Map(tensorsOf(model.weights)).get(path);
  if (path === undefined || table === undefined || !(table.data instanceof Float32Array)) {
    throw new ConfigError("moves token embeddings, and the model has no table of them in float32", {
      field: "task.linearStart",
      hint: "leave --linear-start out",
    });
  }
  const [rows, width] = table.shape as readonly [number, number];
  const data = table.data.slice();
  const length = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / rows);
  const random = rng(seed, "linear-start");
  for (const scores of tokenScores(linear, tokenizer)) {
    const direction = unit(width, () => random.normal());
    scores.forEach((score, id) => {
      for (let c = 0; c < width; c++) data[id * width + c]! += STRENGTH * length * score * direction[c]!;
    });
  }
  return {
    ...model,
    weights: withTensors(model.weights, new Map([[path, tensor("float32", [rows, width], data)]])),
  };
};
