/**
 * Labels of whole texts or of pairs of texts: one of many, several, a number, or one score that ranks. What
 * the logits mean is config.json's problem_type; one logit with several labels' loss is a ranking.
 */
import { type Labels, readsTokenTypes } from "../../models/encoders/encoder.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { DataError } from "../../util/errors.ts";
import { streamOf } from "../../util/rng.ts";
import type { EncoderInputs } from "../encoderInputs.ts";
import { exampleHeldOut, exampleLesson } from "../exampleLesson.ts";
import type { Objective } from "../objective.ts";
import {
  type Column,
  columnNamed,
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
  textField,
} from "../records.ts";
import { meanOf } from "../scores.ts";
import { multiLabel, regression, sequenceClassification } from "../sequenceClassification.ts";
import type { LessonOptions, Material, Task } from "../task.ts";
import { balanced, unbalanced } from "./balanced.ts";
import { figures } from "./figures.ts";
import { type LabelReading, type Problem, problemIn, problemOf, readLabels, saidIn } from "./labels.ts";
import { judgeBy, judgedOf, labelCollate, labelTeaching } from "./lesson.ts";
import { begun, linearlyTaughtIf } from "./linear/asked.ts";

/** Names of the two texts of a pair, first of all where the first ranks the second. */
const QUERIES = ["query", "search_query"];
const PASSAGES = ["passage", "document", "doc", "text", "answer"];
const PAIRS = [
  ...[
    ["sentence1", "sentence2"],
    ["premise", "hypothesis"],
    ["question1", "question2"],
  ],
  ...[
    ["question", "sentence"],
    ["sentence_a", "sentence_b"],
    ["text1", "text2"],
    ["text", "text_pair"],
  ],
] as const;
const TEXTS = ["text", "sentence", "content", "review", "comment", "message", "body", "title", "sentence1"];
const LABELS = [
  ...["label", "labels", "class", "category", "sentiment", "target", "gold_label", "score", "stars"],
  ...["rating", "relevance", "similarity", "relatedness_score", "emotion", "intent", "topic"],
];

/** Which fields of records hold the texts and the labels. */
interface Places {
  readonly texts: readonly [string] | readonly [string, string];
  readonly labels: readonly string[];
  readonly ranks: boolean;
}

const pairOf = (columns: readonly Pick<Column, "name">[]): readonly [string, string] | undefined => {
  const query = columnNamed(columns, QUERIES);
  const passage = columnNamed(columns, PASSAGES);
  if (query !== undefined && passage !== undefined) return [query, passage];
  for (const [one, other] of PAIRS) {
    const [a, b] = [columnNamed(columns, [one]), columnNamed(columns, [other])];
    if (a !== undefined && b !== undefined) return [a, b];
  }
  return undefined;
};

const placesOf = (columns: readonly Pick<Column, "name">[], options: RecordOptions): Places | undefined => {
  const { field, pairField, labelFields, problem } = options;
  const told = labelFields.map((name) => columnNamed(columns, [], name));
  const labels = labelFields.length > 0 ? told : [columnNamed(columns, LABELS)];
  const found = field === undefined && pairField === undefined ? pairOf(columns) : undefined;
  const first = found?.[0] ?? columnNamed(columns, TEXTS, field);
  const second = found?.[1] ?? (pairField === undefined ? undefined : columnNamed(columns, [], pairField));
  const missing = first === undefined || labels.includes(undefined);
  if (missing || (pairField !== undefined && second === undefined)) return undefined;
  return {
    texts: second === undefined ? [first] : [first, second],
    labels: labels as string[],
    ranks: problem === "ranking" || (problem === "auto" && QUERIES.includes(first.toLowerCase())),
  };
};

const wants = `a text (${TEXTS.slice(0, 4).join(", ")} ...; or two: sentence1 and sentence2, query and \
passage) and a label (${LABELS.slice(0, 4).join(", ")} ...); name them with --field, --pair-field and \
--label-field`;

const problemTypes: Readonly<Record<Problem, NonNullable<Labels["problem_type"]>>> = {
  single_label_classification: "single_label_classification",
  multi_label_classification: "multi_label_classification",
  regression: "regression",
  // Readers make a probability of each logit then, and of a single one too.
  ranking: "multi_label_classification",
};

/** A text, or two, as tokens; how many it had before it was cut. */
const tokensOf = (tokenizer: Tokenizer, texts: readonly string[], context: number) => {
  const [text, pair] = texts as [string, string?];
  const given = pair === undefined ? {} : { pair };
  const whole = tokenizer.encodeInputs(text, given);
  const fits = whole.ids.length <= context;
  return {
    length: whole.ids.length,
    fits,
    ...(fits ? whole : tokenizer.encodeInputs(text, { ...given, maxLength: context })),
  };
};

/** The labels of an example: an id, K zeros and ones, a number. */
const targetOf = (ids: readonly number[], { problem, names }: LabelReading): readonly number[] =>
  problem === "multi_label_classification" ? names.map((_, id) => Number(ids.includes(id))) : ids;

interface Found {
  readonly places: Places;
  readonly labels: LabelReading;
  readonly options: RecordOptions;
}

/** An example of a row, and whether it lost its end. Throws DataError naming its place. */
const exampleOf = (row: Row, { places, labels, options }: Found, how: EncodeRowsOptions) => {
  const texts = places.texts.map((name) => textField(row, name));
  const { ids, typeIds, fits, length } = tokensOf(how.tokenizer, texts, how.context);
  if (!fits && options.tooLong === "refuse") {
    throw new DataError(`has ${length} tokens, and the model takes ${how.context}`, {
      file: row.id,
      field: places.texts[0],
      hint: "cut it, raise --context, or take --too-long truncate",
    });
  }
  const said = labels.of(row);
  const example: Example = {
    length: ids.length,
    parts: { ids, types: typeIds, labels: targetOf(said, labels) },
    unit: streamOf(labels.problem === "ranking" ? texts[0]! : texts.join("\n")),
    ...(labels.problem.endsWith("label_classification") ? { stratum: said.join() } : {}),
  };
  return { example, fits };
};

const encode = (rows: readonly Row[], found: Found, how: EncodeRowsOptions): Encoded => {
  const all = taken(rows, (row) => exampleOf(row, found, how), how.onBad);
  return {
    rows: all.map(([row]) => row),
    examples: all.map(([, { example }]) => example),
    truncated: all.filter(([, { fits }]) => !fits).length,
  };
};

const shownLabels = ({ problem, names }: LabelReading, labels: ArrayLike<number>): string => {
  if (problem === "single_label_classification") return names[labels[0]!]!;
  if (problem === "multi_label_classification")
    return names.filter((_, id) => labels[id] === 1).join(", ") || "none";
  return String(labels[0]);
};

/** The rows whose texts and labels can be read; all, unless others may be left out. */
const soundRows = (rows: readonly Row[], places: Places, problem: Problem): readonly Row[] => {
  const said = (row: Row) => {
    for (const name of places.texts) textField(row, name);
    return saidIn(row, { fields: places.labels, problem });
  };
  return taken(rows, said, () => {}).map(([row]) => row);
};

const read = (rows: readonly Row[], given: ReadingOptions): Reading => {
  const { options, own, fixed = false, lenient = false } = given;
  const columns = columnsOf(rows);
  const places = placesOf(columns, options);
  if (places === undefined) {
    throw new DataError("the records have no text with a label", {
      ...(rows[0] === undefined ? {} : { file: rows[0].id }),
      hint: `their fields are ${columns.map(({ name }) => name).join(", ")}; wanted: ${wants}`,
    });
  }
  const found = problemOf(rows, places.labels);
  const told = options.problem === "auto" ? (places.ranks ? "ranking" : found) : (options.problem as Problem);
  const problem = fixed ? problemIn(own!) : told;
  const kept = own !== undefined && (fixed || problemIn(own) === problem) ? { own } : {};
  const sound = lenient ? soundRows(rows, places, problem) : rows;
  const labels = readLabels(sound, { fields: places.labels, problem }, { options, fixed, ...kept });
  return {
    wanted: labels.own ? {} : { labels: labels.names, problem: problemTypes[problem] },
    notes: [
      `records: ${places.texts.join(" and ")} -> ${places.labels.join(", ")} (${problem}); labels: ${
        labels.names.length > 12 ? `${labels.names.slice(0, 12).join(", ")} ...` : labels.names.join(", ")
      }${labels.own ? ", the model's own" : ""}`,
      ...(problem === "single_label_classification" && !fixed ? unbalanced(sound, labels) : []),
    ],
    encode: (some, how) => encode(some, { places, labels, options }, how),
    texts: (row) => places.texts.map((name) => textField(row, name)),
    show: (_, { parts }, tokenizer) =>
      `${tokenizer.decode(parts.ids!, { keepSpecial: true })} -> ${shownLabels(labels, parts.labels!)}`,
  };
};

const inputsOf = ({ model }: LessonOptions): EncoderInputs => ({ tokenTypes: readsTokenTypes(model.config) });

/** Throws DataError for data of another kind. */
const examplesOf = (material: Material): Examples => {
  if (material.kind === "examples") return material;
  throw new DataError("sequence-classification learns from records with labels", { hint: wants });
};

const objectiveOf = ({ train }: Examples, options: LessonOptions): Objective => {
  const { classWeights = "none", labelSmoothing = 0 } = options.records ?? {};
  const labels = options.model.config as Labels;
  const problem = problemIn(labels);
  const count = Object.keys(labels.id2label).length;
  const weights = classWeights === "balanced" ? { classWeights: balanced(train, problem, count) } : {};
  const how = { ...inputsOf(options), ...weights };
  if (problem === "single_label_classification") {
    const plain = sequenceClassification({ ...how, labelSmoothing });
    const taught = (options.records?.linearTeacher ?? 0) > 0;
    return taught ? labelTeaching(plain, labels, { alpha: 1 }).objective : plain;
  }
  return problem === "regression" ? regression(how) : multiLabel(count, how);
};

const lossUnits: Readonly<Record<Problem, string>> = {
  single_label_classification: "nats per text",
  multi_label_classification: "nats per label",
  regression: "squared error",
  ranking: "nats per text",
};

/** The task, with the figure of models whose logits mean `problem`. */
const taskFor = (problem: Problem): Task => {
  const { name, unit, example } = figures[problem];
  return {
    name: "sequence-classification",
    pipeline: "text-classification",
    heads: ["sequence-classification"],
    textTokens: 512,
    reads: ["examples"],
    records: {
      fits: (columns, options) => (placesOf(columns, options) === undefined ? 0 : 0.5),
      wants,
      takes: [
        ...(["labels", "problem", "classWeights", "labelSmoothing", "tokenDropout"] as const),
        ...(["linearStart", "linearTeacher"] as const),
      ],
      read,
    },
    criterion: { name, unit, example, better: "more", of: meanOf },
    lossUnit: lossUnits[problem],
    variant: ({ config }) => taskFor(problemIn(config as Labels)),
    start: begun,
    prepare: async (_, model, material, options) => linearlyTaughtIf(examplesOf(material), model, options),
    lesson: (material, options) => {
      const examples = examplesOf(material);
      const own = problemIn(options.model.config as Labels);
      const lesson = exampleLesson(examples, options, {
        objective: objectiveOf(examples, options),
        collate: labelCollate(options, own),
        judge: (heldOut) => judgeBy(figures[own], heldOut),
      });
      const made = options.records?.linearTeacher ?? 0;
      const note = `${made} made-up texts beside each record are labelled by a linear model`;
      return made === 0 ? lesson : { ...lesson, notes: [note, ...(lesson.notes ?? [])] };
    },
    heldOut: (material, options) => {
      const own = problemIn(options.model.config as Labels);
      return exampleHeldOut(examplesOf(material), options, labelCollate(options, own));
    },
    teaching: ({ objective }, options, { config }) => labelTeaching(objective, config as Labels, options),
    scorer: async (engine, heldOut, { config }) => {
      const { numbers } = figures[problemIn(config as Labels)];
      return async (model) => numbers(await judgedOf(engine, model, heldOut));
    },
  };
};

/** Labelling texts; judged by the first figure of what the labels mean. */
export const sequenceClassifier: Task = taskFor("single_label_classification");
