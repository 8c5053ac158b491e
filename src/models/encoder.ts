/** What the encoder families share: labels, fields that are refused, heads and lists of matrices. */
import { constant, type Value } from "../ir/op.ts";
import { tensorOf } from "../ir/tensor.ts";
import type { Linear } from "../nn/linear.ts";
import { normal, type ParamSpec, param, zerosInit } from "../nn/param.ts";
import { countUp, lengthOf } from "../ops/dynamic.ts";
import { gelu, geluTanh, relu } from "../ops/elementwise.ts";
import { reshape, slice } from "../ops/structure.ts";
import { ConfigError } from "../util/errors.ts";
import { type Fields, intField } from "./config.ts";
import type { Inputs, ModelConfig, Task } from "./model.ts";

// B batch, T time, C channels

/** The activations by their names in config.json. */
export const encoderActivations = { gelu, gelu_new: geluTanh, gelu_pytorch_tanh: geluTanh, relu } as const;

/** The fields of a classifier's labels, as Hugging Face stores them. */
export interface Labels {
  readonly id2label: Readonly<Record<string, string>>;
  readonly label2id: Readonly<Record<string, number>>;
  readonly problem_type: "single_label_classification" | null;
}

/** What the config of every encoder has. */
export interface EncoderConfig extends ModelConfig, Labels {
  readonly pad_token_id: number;
  /** Types of text that the model reads; absent for a family without them. */
  readonly type_vocab_size?: number;
}

const namesOf = (given: unknown): string[] => {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new ConfigError("must be an object of labels by id", { field: "id2label" });
  }
  const count = Object.keys(given).length;
  const names = Array.from({ length: count }, (_, i) => (given as Fields)[String(i)]);
  const gap = names.findIndex((name) => typeof name !== "string");
  if (gap >= 0 || count === 0) {
    throw new ConfigError(count === 0 ? "has no labels" : `has no label of id ${gap}`, {
      field: "id2label",
      hint: 'number the labels from 0 on: {"0": "negative", "1": "positive"}',
    });
  }
  return names as string[];
};

const checkIds = (given: unknown, ids: Readonly<Record<string, number>>): void => {
  if (given == null) return;
  const pairs = typeof given === "object" ? Object.entries(given as Fields) : [];
  const wrong = pairs.find(([name, id]) => ids[name] !== id);
  if (pairs.length !== Object.keys(ids).length || wrong !== undefined) {
    const what = wrong === undefined ? "does not name" : `says ${JSON.stringify(wrong[0])} otherwise than`;
    throw new ConfigError(`${what} the labels of id2label`, { field: "label2id" });
  }
};

/**
 * The labels of a config: id2label, else LABEL_0 .. of num_labels (2 unless told). Throws ConfigError where
 * they contradict each other or another loss than one label for each text or token is asked for.
 */
export const labelsField = (fields: Fields): Labels => {
  const { problem_type: problem, id2label, label2id, num_labels } = fields;
  if (problem != null && problem !== "single_label_classification") {
    throw new ConfigError(`is ${JSON.stringify(problem)}; only single_label_classification is supported`, {
      field: "problem_type",
    });
  }
  const count = intField(fields, "num_labels", 2);
  const names = id2label == null ? Array.from({ length: count }, (_, i) => `LABEL_${i}`) : namesOf(id2label);
  if (num_labels != null && count !== names.length) {
    throw new ConfigError(`is ${count}, but id2label has ${names.length}`, { field: "num_labels" });
  }
  const ids = Object.fromEntries(names.map((name, i) => [name, i]));
  if (Object.keys(ids).length !== names.length) {
    throw new ConfigError("names two labels alike", { field: "id2label" });
  }
  checkIds(label2id, ids);
  return {
    id2label: Object.fromEntries(names.map((name, i) => [String(i), name])),
    label2id: ids,
    problem_type: problem ?? null,
  };
};

/** Number of labels of a classifier. */
export const labelCount = ({ id2label }: Labels): number => Object.keys(id2label).length;

/** Throws ConfigError for what an encoder of this family could be told to be and is not here. */
export const refuseVariants = (fields: Fields): void => {
  const position = fields.position_embedding_type;
  if (position != null && position !== "absolute") {
    throw new ConfigError(`is ${JSON.stringify(position)}; only absolute positions are supported`, {
      field: "position_embedding_type",
    });
  }
  for (const field of ["is_decoder", "add_cross_attention", "sinusoidal_pos_embds"]) {
    if (fields[field] === true) throw new ConfigError("is not supported for an encoder", { field });
  }
  if (fields.tie_word_embeddings === false) {
    throw new ConfigError("an untied head is not supported for an encoder", { field: "tie_word_embeddings" });
  }
};

/** Throws ConfigError unless `width` divides into `heads`. */
export const checkHeads = (width: number, heads: number, field: string): void => {
  if (width % heads === 0) return;
  throw new ConfigError(`${width} channels do not divide into ${heads} heads`, {
    field,
    hint: "choose a width that is a multiple of the number of heads",
  });
};

/** A torch Linear [N, K] with its bias. */
export const linearSpec = (k: number, n: number, std: number): Linear<ParamSpec> => ({
  weight: param([n, k], normal(std)),
  bias: param([n], zerosInit),
});

/** [B, T, C] -> [B, C]: the first token, which stands for the text. */
export const firstToken = (x: Value): Value => {
  const [b, , c] = x.shape;
  return reshape(slice(x, 1, 0, 1), [b!, c!]);
};

/** Positions [T] or [B, T]: those given, else 0..T-1. Throws ConfigError for a text that is too long. */
export const countedPositions = ({ positionIds, inputIds }: Inputs, most: number): Value => {
  checkLength(inputIds, most);
  if (positionIds !== undefined) return positionIds;
  const length = inputIds.shape[1]!;
  if (typeof length === "string") return countUp(lengthOf(inputIds, 1), length);
  const counted = Array.from({ length }, (_, i) => i);
  return constant(tensorOf("int32", [length], counted));
};

/** Throws ConfigError where the length of `inputIds` [B, T] is known and more than `most`. */
export const checkLength = (inputIds: Value, most: number): void => {
  const length = inputIds.shape[1];
  if (typeof length === "number" && length > most) {
    throw new ConfigError(`${length} tokens are more than the model's ${most} positions`, {
      field: "max_position_embeddings",
      hint: `cut texts to ${most} tokens`,
    });
  }
};

/** What every encoder tells of a cache, which it has none of. */
export const noCache = (vocab: number, heads: number, width: number, positions: number) => ({
  vocab,
  layers: 0,
  kvHeads: heads,
  headWidth: width / heads,
  positions,
});

/** The packable matrices: all are torch's [N, K]. */
export const linearMatrices = (names: readonly string[]): ReadonlyMap<string, "nk"> =>
  new Map(names.map((name) => [`${name}.weight`, "nk"] as const));

/** Whether a model tells token types apart, so that its graph has an input for them. */
export const readsTokenTypes = (config: ModelConfig): boolean =>
  ((config as EncoderConfig).type_vocab_size ?? 0) > 1;

/** The tasks that an encoder has heads for. */
export type EncoderTask = Exclude<Task, "causal-lm" | "seq2seq-lm">;
