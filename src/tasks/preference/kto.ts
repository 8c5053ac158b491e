/** Single answers that are good or not: Kahneman-Tversky optimization. */
import { DataError } from "../../util/errors.ts";
import { exampleHeldOut, exampleLesson } from "../exampleLesson.ts";
import { type Labelled, labelled, shownTokens, writeLessons } from "../instruct/encode.ts";
import {
  type InstructionForm,
  instructionForm,
  isDesirable,
  type Lesson,
  lessonOf,
} from "../instruct/forms.ts";
import { examplesIn, formOptions, rowOf, unitOf } from "../instruct/sft.ts";
import {
  type Column,
  columnNamed,
  columnsOf,
  type Encoded,
  type EncodeRowsOptions,
  type Reading,
  type ReadingOptions,
  type RecordOptions,
  type Row,
  taken,
} from "../records.ts";
import { meanOf } from "../scores.ts";
import type { LessonOptions, Material, Task } from "../task.ts";
import { kto as objective } from "./objectives.ts";
import {
  gainsOf,
  inPairs,
  pairBatches,
  prepared,
  rankAccuracy,
  requireReference,
  twoRows,
  untaught,
} from "./preferences.ts";

const wants = "prompt and completion, or messages, with label (true or false)";

/** The columns: those of instructions, and the one that says whether an answer is good. */
type Form = InstructionForm & { readonly label: string };

const formOf = (columns: readonly Pick<Column, "name">[], options: RecordOptions): Form | undefined => {
  const form = instructionForm(columns, options);
  const label = columnNamed(columns, ["label", "desirable"], options.labelFields[0]);
  return form === undefined || label === undefined ? undefined : { ...form, label };
};

interface Found {
  readonly lesson: Lesson;
  readonly good: boolean;
}

interface Made {
  readonly row: Labelled;
  readonly good: boolean;
}

/** The answer of another example behind an example's own prompt. */
const mismatched = (own: Labelled, other: Labelled, context: number): Labelled => {
  const start = own.labels.findIndex((label) => label >= 0);
  const from = other.labels.findIndex((label) => label >= 0);
  // The label of the last token of a prompt is the first of the answer.
  const ids = [...own.ids.subarray(0, start + 1), ...other.ids.subarray(from + 1)].slice(0, context);
  const labels = [...own.labels.subarray(0, start), ...other.labels.subarray(from)].slice(0, context);
  return { ids: Int32Array.from(ids), labels: Int32Array.from(labels), cut: false };
};

const examplesOf = (all: readonly Made[], context: number): Encoded["examples"] =>
  all.map(({ row, good }, i) => {
    const next = all[(i + 1) % all.length]!;
    const two = [row, mismatched(row, next.row, context)] as const;
    return {
      ...twoRows(two, { desirable: [Number(good)] }),
      unit: unitOf(row),
      stratum: good ? "good" : "other",
    };
  });

const encode = async (
  rows: readonly Row[],
  options: RecordOptions,
  how: EncodeRowsOptions,
): Promise<Encoded> => {
  const form = formOf(columnsOf(rows), options)!;
  const find = (row: Row): Found => ({
    lesson: lessonOf(row, form, { ...formOptions(options, how), turns: "last" }),
    good: isDesirable(row, form.label),
  });
  const read = taken(rows, find, how.onBad);
  const lessons = read.map(([, { lesson }]) => lesson);
  const written = await writeLessons(lessons, how);
  const made = new Map(read.map(([row, { good }], i) => [row, { tokens: written[i]!, good }]));
  const make = (row: Row): Made => {
    const { tokens, good } = made.get(row)!;
    return { row: labelled(tokens, row, { ...how, ...options }), good };
  };
  const all = taken([...made.keys()], make, how.onBad);
  const kept = all.map(([, each]) => each);
  return {
    rows: all.map(([row]) => row),
    examples: examplesOf(kept, how.context),
    truncated: kept.filter(({ row }) => row.cut).length,
  };
};

const read = (rows: readonly Row[], { options }: ReadingOptions): Reading => {
  const columns = columnsOf(rows);
  const form = formOf(columns, options);
  if (form === undefined) {
    throw new DataError("the records are no answers with labels", {
      ...(rows[0] === undefined ? {} : { file: rows[0].id }),
      hint: `their fields are ${columns.map(({ name }) => name).join(", ")}; wanted: ${wants}`,
    });
  }
  const said = taken(
    rows,
    (row) => isDesirable(row, form.label),
    () => {},
  ).map(([, good]) => good);
  const good = said.filter((each) => each).length;
  if (good === 0 || good === said.length) {
    throw new DataError(`all answers are ${good === 0 ? "bad" : "good"}: there is nothing to tell apart`, {
      ...(rows[0] === undefined ? {} : { file: rows[0].id }),
      field: form.label,
      hint: "give answers of both kinds; good ones alone are for --task sft",
    });
  }
  return {
    wanted: {},
    notes: [`records: ${good} good answers and ${said.length - good} others (beta ${options.beta})`],
    encode: (some, how) => encode(some, options, how),
    texts: ({ fields }) => Object.values(fields).filter((value) => typeof value === "string"),
    show: (_, example, tokenizer) => {
      const worth = example.parts.desirable![0] === 1 ? "good" : "not good";
      return `${shownTokens(rowOf(example), tokenizer)} (${worth})`;
    },
  };
};

const partsOf = (material: Material, options: LessonOptions) => {
  const examples = examplesIn(material, "kto", wants);
  requireReference(examples);
  const { beta, desirableWeight, undesirableWeight } = {
    ...{ beta: 0.1, desirableWeight: 1, undesirableWeight: 1 },
    ...options.records,
  };
  const { places, collate } = pairBatches(examples, options);
  const made = objective(places, { beta, desirableWeight, undesirableWeight });
  return { examples, parts: { collate, objective: made, judge: rankAccuracy } };
};

/** Good and other answers; judged by how often a good held-out one gains more than another. */
export const kto: Task = {
  name: "kto",
  pipeline: "text-generation",
  heads: ["causal-lm"],
  reads: ["examples"],
  textTokens: 512,
  rowsOfExample: 2,
  rate: 0.1,
  lossUnit: "",
  records: {
    fits: (columns, options) => (formOf(columns, options) === undefined ? 0 : 1),
    ...{ wants, read },
    takes: ["chatTemplate", "beta", "desirableWeight", "undesirableWeight"],
  },
  criterion: {
    ...{ name: "reward margin", unit: "nats", example: "answer", better: "more" },
    of: meanOf,
  },
  prepare: (engine, model, material, options) =>
    prepared(engine, model, examplesIn(material, "kto", wants), options),
  lesson: (material, options) => {
    const pairs = inPairs(options);
    const { examples, parts } = partsOf(material, pairs);
    return exampleLesson(examples, pairs, parts);
  },
  heldOut: (material, options) => {
    const pairs = inPairs(options);
    const { examples, parts } = partsOf(material, pairs);
    return exampleHeldOut(examples, pairs, parts.collate);
  },
  teaching: untaught("kto"),
  scorer: async (engine, heldOut) => (model) => gainsOf(engine, model, heldOut),
};
