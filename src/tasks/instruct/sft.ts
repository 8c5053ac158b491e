/**
 * Supervised fine-tuning of a causal model on instructions and chats: what the assistant says is learnt,
 * each token from all before it, and nothing else is asked.
 */

import { DataError } from "../../util/errors.ts";
import { streamOf } from "../../util/rng.ts";
import { type Collate, exampleHeldOut, exampleLesson } from "../exampleLesson.ts";
import { type Objective, placedTotals } from "../objective.ts";
import {
  columnsOf,
  type Encoded,
  type EncodeRowsOptions,
  type Example,
  type Examples,
  type Reading,
  type ReadingOptions,
  type RecordOptions,
  type Row,
  taken,
} from "../records.ts";
import { meanOf, perplexity, tokenScores } from "../scores.ts";
import { pairFormText } from "../seq2seq/pairForm.ts";
import type { LessonOptions, Material, Task } from "../task.ts";
import { tokenTeaching } from "../teaching/distillation.ts";
import { type Places, placesOf, rowFeeds, rowInputs, type TokenRow } from "./batch.ts";
import { labelled, shownTokens, writeLessons } from "./encode.ts";
import { type InstructionForm, instructionForm, type Lesson, lessonOf } from "./forms.ts";
import { packedRows } from "./packed.ts";

const wants =
  "messages (role and content), conversations (from and value), or two of prompt and completion, " +
  "instruction and output, question and answer, a text and its translation or summary";

/** The tokens of an example. */
export const rowOf = ({ parts }: Example): TokenRow => ({
  ids: Int32Array.from(parts.ids!),
  labels: Int32Array.from(parts.labels!),
});

/**
 * What stands before the first thing that is learnt, as a number: chats that begin alike stay on one side.
 */
export const unitOf = ({ ids, labels }: TokenRow): number =>
  streamOf(ids.subarray(0, labels.findIndex((label) => label >= 0) + 1).join());

/** How a run takes records, as the forms of rows want it. */
export const formOptions = (
  { turns, chatTemplate, prefix }: RecordOptions,
  { ownTemplate = false }: Pick<EncodeRowsOptions, "ownTemplate">,
) => ({
  turns: turns === "last" ? ("last" as const) : ("all" as const),
  templated: chatTemplate === "auto" && ownTemplate,
  prefix,
});

const encode = async (
  rows: readonly Row[],
  options: RecordOptions,
  how: EncodeRowsOptions,
): Promise<Encoded> => {
  const form = instructionForm(columnsOf(rows), options)!;
  const read = taken(rows, (row): Lesson => lessonOf(row, form, formOptions(options, how)), how.onBad);
  const lessons = read.map(([, lesson]) => lesson);
  const written = await writeLessons(lessons, { ...how, whole: options.turns === "text" });
  const made = new Map(read.map(([row], i) => [row, written[i]!]));
  const all = taken(
    [...made.keys()],
    (row) => labelled(made.get(row)!, row, { ...how, ...options }),
    how.onBad,
  );
  return {
    rows: all.map(([row]) => row),
    examples: all.map(([, row]) => ({
      length: row.ids.length,
      parts: { ids: row.ids, labels: row.labels },
      unit: unitOf(row),
    })),
    truncated: all.filter(([, { cut }]) => cut).length,
  };
};

/** Where records have what is learnt, in words. */
const fromText = (form: InstructionForm): string => {
  if (form.kind === "messages") return form.field;
  return form.kind === "pair" ? `${form.prompt} -> ${form.completion}` : pairFormText(form.form);
};

const read = (rows: readonly Row[], { options }: ReadingOptions): Reading => {
  const columns = columnsOf(rows);
  const form = instructionForm(columns, options);
  if (form === undefined) {
    throw new DataError("the records are no instructions or chats", {
      ...(rows[0] === undefined ? {} : { file: rows[0].id }),
      hint: `their fields are ${columns.map(({ name }) => name).join(", ")}; wanted: ${wants}`,
    });
  }
  const learnt = {
    all: "all that the assistant says",
    last: "the assistant's last turn",
    text: "the whole text",
  };
  const from = fromText(form);
  return {
    wanted: {},
    notes: [`records: ${from}; learnt is ${learnt[options.turns]}`],
    encode: (some, how) => encode(some, options, how),
    texts: ({ fields }) => Object.values(fields).filter((value) => typeof value === "string"),
    show: (_, example, tokenizer) => shownTokens(rowOf(example), tokenizer),
  };
};

/** The cross-entropy of the labelled tokens, which alone the head reads. */
export const instructionTuning = (places: Places): Objective => ({
  name: "instructions",
  inputs: (shape) => rowInputs(shape, places),
  totals: (outputs, { labels, places: at }) => placedTotals(outputs, labels!, at!),
});

/** Throws DataError for data of another kind. */
export const examplesIn = (material: Material, task: string, wanted = wants): Examples => {
  if (material.kind === "examples") return material;
  throw new DataError(`${task} learns from records`, { hint: `wanted: ${wanted}` });
};

const partsOf = (examples: Examples, options: LessonOptions) => {
  const places = placesOf([...examples.train, ...examples.validation].map(rowOf));
  const collate: Collate = (some, { batch, width }) => {
    const rows = Array.from({ length: batch }, (_, b) =>
      some[b] === undefined ? undefined : rowOf(some[b]),
    );
    return rowFeeds(rows, { width, places }, options);
  };
  return { collate, objective: instructionTuning(places) };
};

/** Instructions and chats; judged by how well the answers of held-out ones are foretold. */
export const sft: Task = {
  name: "sft",
  pipeline: "text-generation",
  heads: ["causal-lm"],
  reads: ["examples"],
  textTokens: 512,
  records: {
    fits: (columns, options) => {
      const form = instructionForm(columns, options);
      if (form === undefined) return 0;
      return form.kind === "messages" ? 0.9 : 0.6;
    },
    wants,
    takes: ["turns", "chatTemplate", "packed", "prefix", "sourceLang", "targetLang"],
    read,
  },
  criterion: {
    ...{ name: "loss", unit: "nats per token", example: "token", better: "less", block: 16 },
    of: meanOf,
  },
  metrics: [perplexity("token", 16)],
  lesson: (material, options) => {
    const examples = examplesIn(material, "sft");
    const parts = partsOf(examples, options);
    if (options.records?.packed !== true) return exampleLesson(examples, options, parts);
    const packed = packedRows(examples.train.map(rowOf), options, parts.objective);
    return { ...packed, heldOut: exampleHeldOut(examples, options, parts.collate) };
  },
  heldOut: (material, options) => {
    const examples = examplesIn(material, "sft");
    return exampleHeldOut(examples, options, partsOf(examples, options).collate);
  },
  teaching: (lesson, options) => tokenTeaching(lesson.objective, options),
  scorer: async (engine, heldOut) => (model) => tokenScores(engine, model, heldOut),
};
