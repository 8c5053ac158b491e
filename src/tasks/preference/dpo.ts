/** Pairs of answers to one prompt, of which one was preferred: direct preference optimization. */
import { DataError } from "../../util/errors.ts";
import { exampleHeldOut, exampleLesson } from "../exampleLesson.ts";
import { labelled, shownTokens, writeLessons } from "../instruct/encode.ts";
import { type Preference, preferenceForm, preferenceOf } from "../instruct/forms.ts";
import { examplesIn, formOptions, rowOf, unitOf } from "../instruct/sft.ts";
import {
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
import { dpo as objective } from "./objectives.ts";
import {
  inPairs,
  marginsOf,
  pairBatches,
  prepared,
  requireReference,
  rewardAccuracy,
  shareAbove0,
  twoRows,
  untaught,
} from "./preferences.ts";

const wants = "chosen and rejected (texts, or messages), with prompt or without";

const encode = async (
  rows: readonly Row[],
  options: RecordOptions,
  how: EncodeRowsOptions,
): Promise<Encoded> => {
  const form = preferenceForm(columnsOf(rows))!;
  const read = taken(
    rows,
    (row): Preference => preferenceOf(row, form, formOptions(options, how)),
    how.onBad,
  );
  const lessons = read.flatMap(([, { chosen, rejected }]) => [chosen, rejected]);
  const written = await writeLessons(lessons, how);
  const made = new Map(read.map(([row], i) => [row, [written[2 * i]!, written[2 * i + 1]!] as const]));
  const cut = { ...how, ...options };
  const both = (row: Row) => {
    const [chosen, rejected] = made.get(row)!;
    return [labelled(chosen, row, cut), labelled(rejected, row, cut)] as const;
  };
  const all = taken([...made.keys()], both, how.onBad);
  return {
    rows: all.map(([row]) => row),
    examples: all.map(([, two]) => ({ ...twoRows(two), unit: unitOf(two[0]) })),
    truncated: all.filter(([, two]) => two.some(({ cut: lost }) => lost)).length,
  };
};

const read = (rows: readonly Row[], { options }: ReadingOptions): Reading => {
  const columns = columnsOf(rows);
  const form = preferenceForm(columns);
  if (form === undefined) {
    throw new DataError("the records are no preferences", {
      ...(rows[0] === undefined ? {} : { file: rows[0].id }),
      hint: `their fields are ${columns.map(({ name }) => name).join(", ")}; wanted: ${wants}`,
    });
  }
  const { prompt = "what both begin with", chosen, rejected } = form;
  return {
    wanted: {},
    notes: [`records: ${prompt} -> ${chosen}, rather than ${rejected} (beta ${options.beta})`],
    encode: (some, how) => encode(some, options, how),
    texts: ({ fields }) => Object.values(fields).filter((value) => typeof value === "string"),
    show: (_, example, tokenizer) => {
      const { otherIds, otherLabels } = example.parts;
      const other = { ids: Int32Array.from(otherIds!), labels: Int32Array.from(otherLabels!) };
      return `${shownTokens(rowOf(example), tokenizer)} rather than ${shownTokens(other, tokenizer)}`;
    },
  };
};

const partsOf = (material: Material, options: LessonOptions) => {
  const examples = examplesIn(material, "dpo", wants);
  requireReference(examples);
  const { beta, labelSmoothing } = { beta: 0.1, labelSmoothing: 0, ...options.records };
  const { places, collate } = pairBatches(examples, options);
  return {
    examples,
    parts: { collate, objective: objective(places, { beta, labelSmoothing }), judge: rewardAccuracy },
  };
};

/** Preferences; judged by how often the preferred answer of a held-out pair gains more than the other. */
export const dpo: Task = {
  name: "dpo",
  pipeline: "text-generation",
  heads: ["causal-lm"],
  reads: ["examples"],
  textTokens: 512,
  rowsOfExample: 2,
  rate: 0.1,
  lossUnit: "nats per pair",
  records: {
    fits: (columns) => (preferenceForm(columns) === undefined ? 0 : 1),
    ...{ wants, read },
    takes: ["chatTemplate", "beta", "labelSmoothing"],
  },
  criterion: {
    ...{ name: "reward accuracy", unit: "nats of margin", example: "pair", better: "more" },
    of: shareAbove0,
  },
  metrics: [
    { ...{ name: "reward margin", unit: "nats of margin", example: "pair", better: "more" }, of: meanOf },
  ],
  prepare: (engine, model, material, options) =>
    prepared(engine, model, examplesIn(material, "dpo", wants), options),
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
  teaching: untaught("dpo"),
  scorer: async (engine, heldOut) => (model) => marginsOf(engine, model, heldOut),
};
