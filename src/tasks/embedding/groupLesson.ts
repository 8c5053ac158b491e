/** A lesson of texts that belong together: batches, the loss that suits them, and what they are judged by. */
import { classBatches } from "../../data/batch/classBatches.ts";
import { type DistinctBatches, distinctBatches, distinctRows } from "../../data/batch/distinctBatches.ts";
import { widthFor, widthsOf } from "../../data/batch/lengthBatches.ts";
import type { Feeds } from "../../engine/engine.ts";
import { tensor } from "../../ir/tensor.ts";
import type { ModelConfig } from "../../models/model.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import { type Example, type Examples, type RecordOptions, recordDefaults } from "../records.ts";
import type { HeldOut, Lesson, LessonOptions } from "../task.ts";
import { textRows } from "./embedTexts.ts";
import { judgeGroups } from "./groupFigures.ts";
import { type GroupKind, keysOf, kindIn, textsOf } from "./groupRecords.ts";
import { widthOf } from "./imitation.ts";
import { batchTriplets } from "./losses/batchTriplets.ts";
import { cosent } from "./losses/cosent.ts";
import { givenVectors } from "./losses/givenVectors.ts";
import { inBatchNegatives } from "./losses/inBatchNegatives.ts";
import { matryoshka } from "./losses/matryoshka.ts";
import { tripletMargin } from "./losses/tripletMargin.ts";
import type { VectorLoss } from "./losses/vectorLoss.ts";
import { poolingOf } from "./neighbours.ts";
import { sentenceObjective } from "./sentenceObjective.ts";

// B examples, G texts of an example, T time

/** The losses that each kind of examples can be learnt by, the first being usual. */
const suiting: Readonly<Record<GroupKind, readonly RecordOptions["loss"][]>> = {
  pairs: ["in-batch-negatives"],
  triplets: ["in-batch-negatives", "triplet-margin"],
  scored: ["cosent"],
  classes: ["batch-triplets"],
  vectors: ["cosine", "mse"],
};

/** Vectors of length 1 are at most 2 apart: the usual margin of 5 could never be kept. */
const marginOf = ({ margin }: RecordOptions, model: LessonOptions["model"]): number => {
  if (margin > 0) return margin;
  return poolingOf(model).normalize ? 1 : 5;
};

/**
 * The widths that vectors are to be cut to, with the whole of them. Throws ConfigError for one that is wider.
 */
const cutsOf = ({ dims }: RecordOptions, model: LessonOptions["model"]): readonly number[] => {
  const whole = widthOf(model);
  const wider = dims.find((width) => !Number.isInteger(width) || width < 1 || width > whole);
  if (wider === undefined) return [...new Set([whole, ...dims])].sort((a, b) => b - a);
  throw new ConfigError(`${wider} is no width of vectors that are ${whole} wide`, {
    field: "task.dims",
    hint: `give widths from 1 to ${whole}, such as --dims ${Math.round(whole / 2)} ${Math.round(whole / 4)}`,
  });
};

/**
 * Channels of the vectors that are given; that of the model where none are. Throws DataError where both
 * differ.
 */
const givenWidth = ({ parts }: Example, model: LessonOptions["model"]): number => {
  const whole = widthOf(model);
  const given = parts.given?.length ?? whole;
  if (given === whole) return whole;
  throw new DataError(`the records' vectors ("embedding") have ${given} numbers, and the model's ${whole}`, {
    hint: "choose a model of that width, or make the vectors with another teacher",
  });
};

/** The loss of examples of a kind. Throws ConfigError for one that does not suit them. */
const lossOf = (
  kind: GroupKind,
  [first]: readonly Example[],
  { model, records = recordDefaults }: LessonOptions,
): VectorLoss => {
  const { loss: asked, scale } = records;
  const name = asked === "auto" ? suiting[kind][0]! : asked;
  if (!suiting[kind].includes(name)) {
    throw new ConfigError(`${name} is no loss of ${kind}`, {
      field: "task.loss",
      hint: `choose ${suiting[kind].join(" or ")}`,
    });
  }
  const margin = marginOf(records, model);
  const width = givenWidth(first!, model);
  const made: Readonly<Record<Exclude<RecordOptions["loss"], "auto">, () => VectorLoss>> = {
    "in-batch-negatives": () => inBatchNegatives({ scale }),
    cosent: () => cosent({ scale }),
    "triplet-margin": () => tripletMargin({ margin }),
    "batch-triplets": () => batchTriplets({ margin }),
    cosine: () => givenVectors({ width, by: "cosine" }),
    mse: () => givenVectors({ width, by: "mse" }),
  };
  const loss = made[name as keyof typeof made]();
  const cuts = cutsOf(records, model);
  return cuts.length > 1 ? matryoshka(loss, cuts) : loss;
};

interface Shape {
  readonly batch: number;
  readonly texts: number;
  readonly width: number;
}

/** The vectors that are given: [B, C], 0 where there is no text. */
const givenFeeds = (examples: readonly Example[], batch: number) => {
  const width = examples[0]!.parts.given!.length;
  const all = new Float32Array(batch * width);
  for (const [b, { parts }] of examples.entries()) all.set(Array.from(parts.given!), b * width);
  return tensor("float32", [batch, width], all);
};

/** Examples as the feeds of a batch: their texts as rows, the texts of one example behind one another. */
const collate = (examples: readonly Example[], shape: Shape, options: LessonOptions): Feeds => {
  const { batch, texts, width } = shape;
  const { model, tokenizer } = options;
  const config = model.config as ModelConfig & { readonly pad_token_id?: number };
  const pad = config.pad_token_id ?? tokenizer.specials.pad ?? tokenizer.eos;
  const groups = examples.map(textsOf);
  const rows = Array.from({ length: batch * texts }, (_, i) => groups[Math.floor(i / texts)]?.[i % texts]);
  const kind = kindIn(examples);
  const labelOf = (part: string) =>
    Array.from({ length: batch }, (_, b) => examples[b]?.parts[part]?.[0] ?? -1);
  return {
    ...textRows(rows, { batch: batch * texts, width }, { config, pad }),
    present: tensor(
      "float32",
      [batch, texts],
      Float32Array.from(rows, (row) => Number(row !== undefined)),
    ),
    ...(kind === "scored" ? { scores: tensor("float32", [batch], Float32Array.from(labelOf("score"))) } : {}),
    ...(kind === "vectors" ? { given: givenFeeds(examples, batch) } : {}),
    ...(kind === "classes" ? { classes: tensor("int32", [batch], Int32Array.from(labelOf("class"))) } : {}),
  };
};

const lengthsOf = (examples: readonly Example[]): number[] => examples.map(({ length }) => length);

/** Texts of an example, of the one that has most. */
const mostTexts = ({ train, validation }: Examples): number =>
  [...train, ...validation].reduce((most, example) => Math.max(most, textsOf(example).length), 1);

const longestIn = (rows: readonly number[], lengths: readonly number[]): number =>
  rows.reduce((most, row) => Math.max(most, lengths[row]!), 1);

/** Of pairs, all texts of a batch differ; scores, classes and vectors are of texts as they are. */
const isApart = (kind: GroupKind): boolean => kind === "pairs" || kind === "triplets";

/** Held-out examples in batches of distinct texts, by length. Throws DataError for none. */
export const groupHeldOut = (
  examples: Examples,
  options: LessonOptions,
  known?: readonly number[],
): HeldOut => {
  const { validation } = examples;
  if (validation.length === 0) {
    throw new DataError("no example is held out", {
      hint: "give more records, or name some with --validation",
    });
  }
  const { batch } = options;
  const lengths = lengthsOf(validation);
  const order = Array.from(lengths.keys()).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const kind = kindIn(validation);
  const batches = distinctRows(order, {
    keys: validation.map((e) => (isApart(kind) ? keysOf(e) : [])),
    batch,
  });
  const widths = known ?? widthsOf({ lengths, batch }, batches);
  const texts = mostTexts(examples);
  return {
    windows: batches.map((rows) => {
      const width = widthFor(widths, longestIn(rows, lengths));
      return collate(
        rows.map((i) => validation[i]!),
        { batch, texts, width },
        options,
      );
    }),
    examples: batches.flatMap((rows) => rows.map((i) => validation[i]!)),
  };
};

const batchesOf = (kind: GroupKind, train: readonly Example[], options: LessonOptions): DistinctBatches => {
  const { batch, seed } = options;
  if (kind === "classes") {
    return classBatches({ classes: train.map(({ parts }) => parts.class![0]!), batch, seed });
  }
  const keys = train.map((example) => (isApart(kind) ? keysOf(example) : []));
  return distinctBatches({ keys, lengths: lengthsOf(train), batch, seed });
};

/** How many wrong texts were found of those that were asked for. */
const minedNotes = (train: readonly Example[], { records }: LessonOptions): string[] => {
  const asked = records?.hardNegatives ?? 0;
  if (asked === 0) return [];
  const found = train.reduce((sum, example) => sum + Math.max(0, textsOf(example).length - 2), 0);
  if (found > 0) return [`wrong texts: ${(found / train.length).toFixed(1)} of ${asked} for each record`];
  return ["no wrong texts were found: all are as near as the right ones (--negative-margin)"];
};

/** The text that most examples have: '"the fox" (12 of 14)'. */
const commonest = (train: readonly Example[], { tokenizer }: LessonOptions): string => {
  const counts = new Map<number, number>();
  for (const key of train.flatMap((example) => [...new Set(keysOf(example))]))
    counts.set(key, (counts.get(key) ?? 0) + 1);
  const [key, count] = [...counts].reduce((most, entry) => (entry[1] > most[1] ? entry : most));
  const own = train.find((example) => keysOf(example).includes(key))!;
  const ids = Array.from(textsOf(own)[keysOf(own).indexOf(key)]!);
  const text = tokenizer.decode(ids).trim();
  const short = text.length > 60 ? `${text.slice(0, 60)}...` : text;
  return `${JSON.stringify(short)} (${count} of ${train.length})`;
};

/** What is told of the batches. Throws DataError where nothing can be compared with anything. */
const notesOf = (
  kind: GroupKind,
  train: readonly Example[],
  batches: DistinctBatches,
  options: LessonOptions,
) => {
  const { batch } = options;
  const { first, epoch } = batches;
  const rows = first.reduce((sum, { length }) => sum + length, 0);
  if (kind !== "triplets" && kind !== "vectors" && rows < 2 * epoch) {
    const text = commonest(train, options);
    const what = `the examples have a text in common, ${text}: there is no other to tell from`;
    throw new DataError(kind === "classes" ? "no class has two texts" : what, {
      hint: "give more records, of texts that differ",
    });
  }
  const twice = train.length - new Set(train.map((example) => keysOf(example).join())).size;
  const short = first.filter(({ length }) => length < batch).length - 1;
  return [
    ...(twice > 0 && kind !== "classes"
      ? [`${twice} records are there before: they never share a batch`]
      : []),
    ...(short > 0 && kind !== "classes"
      ? [`${short} of ${epoch} batches are short, to keep equal texts apart`]
      : []),
    ...(kind === "classes" && rows < train.length
      ? [`${train.length - rows} texts of a class wait for another in each epoch`]
      : []),
  ];
};

/**
 * The lesson of examples. Throws DataError where there are none, ConfigError for a loss that does not suit.
 */
export const groupLesson = (examples: Examples, options: LessonOptions): Lesson => {
  const { train } = examples;
  const { batch, model } = options;
  if (train.length === 0)
    throw new DataError("there is no example to train on", { hint: "give more records" });
  if (batch < 2) {
    throw new ConfigError("is 1: texts are compared with others of their batch", { field: "train.batch" });
  }
  const kind = kindIn(train);
  const texts = mostTexts(examples);
  const objective = sentenceObjective(model, lossOf(kind, train, options), texts);
  const batches = batchesOf(kind, train, options);
  const lengths = lengthsOf(train);
  const notes = [...notesOf(kind, train, batches, options), ...minedNotes(train, options)];
  const widths = widthsOf({ lengths, batch }, batches.first);
  const heldOut = groupHeldOut(examples, options, widths);
  return {
    objective,
    context: widths.at(-1)!,
    widths,
    epoch: batches.epoch,
    source: (index) => {
      const rows = batches.at(index);
      const width = widthFor(widths, longestIn(rows, lengths));
      return collate(
        rows.map((i) => train[i]!),
        { batch, texts, width },
        options,
      );
    },
    heldOut,
    judge: judgeGroups(kind, heldOut, model),
    notes: [
      `loss: ${objective.name}, of ${batch} x ${texts} texts; ${batches.epoch} batches an epoch`,
      ...notes,
    ],
  };
};
