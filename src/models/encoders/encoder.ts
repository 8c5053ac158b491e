/** What the encoder families share: labels, fields that are refused, heads and lists of matrices. */
import { constant, type Value } from "../../ir/op.ts";
import { tensorOf } from "../../ir/tensor.ts";
import type { Linear } from "../../nn/linear.ts";
import { normal, type ParamSpec, param, zerosInit } from "../../nn/param.ts";
import { countUp, lengthOf } from "../../ops/dynamic.ts";
import { reshape, slice } from "../../ops/structure.ts";
import { ConfigError } from "../../util/errors.ts";
import { type Fields, intField, oneOf } from "../config.ts";
import type { Head, Inputs, ModelConfig } from "../model.ts";

// B batch, T time, C channels

const problems = {
  single_label_classification: true,
  multi_label_classification: true,
  regression: true,
} as const;
type ProblemType = keyof typeof problems;

/** The fields of a classifier's labels, as Hugging Face stores them. */
export interface Labels {
  readonly id2label: Readonly<Record<string, string>>;
  readonly label2id: Readonly<Record<string, number>>;
  /** What a classifier's logits mean; one label for each text or token unless told. */
  readonly problem_type: ProblemType | null;
}

/** What the config of every encoder has. */
export interface EncoderConfig extends ModelConfig, Labels {
  readonly pad_token_id: number;
  /** Whether the head of a masked language model is the embedding. */
  readonly tie_word_embeddings: boolean;
  /** Types of text that the model reads; absent for a family without them. */
  readonly type_vocab_size?: number;
}

const namesOf = (given: unknown): string[] => {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new ConfigError("must be an object of labels by id", { field: "id2label" });
  }
  // Keys are numbers in any spelling and labels of any type, as the reference reads them.
  const text = (label: unknown): string => (typeof label === "string" ? label : JSON.stringify(label));
  const byId = new Map(Object.entries(given).map(([id, label]) => [Number(id), text(label)]));
  const names = Array.from(byId, (_, i) => byId.get(i));
  const gap = names.indexOf(undefined);
  if (gap >= 0 || names.length === 0) {
    throw new ConfigError(names.length === 0 ? "has no labels" : `has no label of id ${gap}`, {
      field: "id2label",
      hint: 'number the labels from 0 on: {"0": "negative", "1": "positive"}',
    });
  }
  return names as string[];
};

const labelled = (names: readonly string[]): Omit<Labels, "problem_type"> => ({
  id2label: Object.fromEntries(names.map((name, i) => [String(i), name])),
  label2id: Object.fromEntries(names.map((name, i) => [name, i])),
});

/** Labels of a model that has no head for them: those of its config where they can be read. */
const idleLabels = (fields: Fields): Labels => {
  try {
    return labelsField({ ...fields, problem_type: null });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { ...labelled(["LABEL_0", "LABEL_1"]), problem_type: null };
  }
};

/** The labels of an encoder's config: as of `labelsField` for classifiers, never refused for others. */
export const encoderLabels = (fields: Fields, task: Head): Labels =>
  task.endsWith("classification") ? labelsField(fields) : idleLabels(fields);

/** Most labels of a config: each has a name, be it a number's. */
const MOST_LABELS = 2 ** 17;

/**
 * The labels of a config: id2label, else (and where num_labels is another number) LABEL_0 .. of num_labels, 2
 * unless told. What label2id says is
 * worked out anew, since it is often left over from another model; of two labels alike it has the last.
 * Throws ConfigError where id2label is no list of labels, there are too many, or problem_type is not known.
 */
export const labelsField = (fields: Fields): Labels => {
  const { id2label, num_labels } = fields;
  const count = intField(fields, "num_labels", 2);
  if (count > MOST_LABELS) {
    throw new ConfigError(`${count} labels are more than the ${MOST_LABELS} that are supported`, {
      field: "num_labels",
    });
  }
  const given = id2label == null ? [] : namesOf(id2label);
  const isGiven = id2label != null && (num_labels == null || count === given.length);
  const names = isGiven ? given : Array.from({ length: count }, (_, i) => `LABEL_${i}`);
  const single = "single_label_classification";
  const problem_type = fields.problem_type == null ? null : oneOf(fields, "problem_type", problems, single);
  return { ...labelled(names), problem_type };
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
  for (const field of ["is_decoder", "add_cross_attention"]) {
    if (fields[field] === true) throw new ConfigError("is not supported for an encoder", { field });
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

/** What an encoder tells in place of a cache, which it has none of: its sizes. */
export const noCache = (sizes: {
  readonly vocab: number;
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly positions: number;
}) => ({
  vocab: sizes.vocab,
  layers: sizes.layers,
  kvHeads: sizes.heads,
  headWidth: sizes.width / sizes.heads,
  positions: sizes.positions,
});

/** Whether a model tells token types apart, so that its graph has an input for them. */
export const readsTokenTypes = (config: ModelConfig): boolean =>
  ((config as EncoderConfig).type_vocab_size ?? 0) > 1;

/** The tasks that an encoder has heads for. */
export type EncoderHead = Exclude<Head, "causal-lm" | "seq2seq-lm" | "replaced-token-detection">;
