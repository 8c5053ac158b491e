/**
 * Records for sentence embeddings, by their shape: pairs (a question and its answer), triplets (with texts
 * that are wrong), scored pairs, texts of classes, texts with vectors of a teacher. The names of the columns
 * are those that data sets on the Hub have.
 */
import { asText } from "../../data/records/fields.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { DataError } from "../../util/errors.ts";
import { parseText } from "../../util/jsonText.ts";
import { streamOf } from "../../util/rng.ts";
import {
  type Column,
  columnNamed,
  columnsOf,
  type Encoded,
  type EncodeRowsOptions,
  type Example,
  type Reading,
  type ReadingOptions,
  type RecordOptions,
  type Row,
  taken,
  textField,
} from "../records.ts";

/**
 * What an example is: texts that belong together, such with wrong ones, such with a score, a text with a
 * class, a text with the vector that a teacher makes of it.
 */
export type GroupKind = "pairs" | "triplets" | "scored" | "classes" | "vectors";

/** Names of the two texts of a pair, and how surely these are for embeddings. */
const PAIRS: readonly (readonly [one: string, other: string, sure: number])[] = [
  ["anchor", "positive", 1],
  ["query", "positive", 1],
  ["question", "positive", 1],
  ["sentence1", "sentence2", 0.5],
  ["sentence_a", "sentence_b", 0.5],
  ["text1", "text2", 0.5],
  ["question1", "question2", 0.5],
  ["query", "passage", 0.5],
  ["query", "document", 0.5],
  ["query", "answer", 0.5],
  ["question", "answer", 0.4],
  ["title", "abstract", 0.4],
  ["title", "body", 0.4],
];
const NEGATIVE = /^(?:hard_?)?neg(?:ative)?s?_?\d*$/i;
const SCORES = ["score", "similarity", "similarity_score", "relatedness_score", "label"];
const TEXTS = ["text", "sentence", "content"];
const CLASSES = ["label", "class", "category"];
const VECTORS = ["embedding", "embeddings", "vector", "teacher_embedding", "sentence_embedding"];

/** What columns hold. */
interface Places {
  readonly kind: GroupKind;
  /** The texts' columns: the anchor's, the positive's, those of the negatives. */
  readonly texts: readonly string[];
  /** The column of the score or the class. */
  readonly label?: string;
  /** How well it suits embeddings, from 0 to 1. */
  readonly sure: number;
}

type Names = readonly Pick<Column, "name">[];

/** The two texts: those that the user names, else those that there are. */
const pairIn = (columns: Names, { field, pairField }: RecordOptions) => {
  if (field !== undefined || pairField !== undefined) {
    const one = field === undefined ? undefined : columnNamed(columns, [], field);
    const other = pairField === undefined ? undefined : columnNamed(columns, [], pairField);
    return one === undefined || other === undefined ? undefined : ([one, other, 0.5] as const);
  }
  for (const [a, b, sure] of PAIRS) {
    const [one, other] = [columnNamed(columns, [a]), columnNamed(columns, [b])];
    if (one !== undefined && other !== undefined) return [one, other, sure] as const;
  }
  return undefined;
};

const placesOf = (columns: Names, options: RecordOptions): Places | undefined => {
  const [told] = options.labelFields;
  const pair = pairIn(columns, options);
  if (pair !== undefined) {
    const [one, other, sure] = pair;
    const negatives = columns.map(({ name }) => name).filter((name) => NEGATIVE.test(name));
    if (negatives.length > 0) return { kind: "triplets", texts: [one, other, ...negatives], sure: 1 };
    const label = columnNamed(columns, SCORES, told);
    const texts = [one, other];
    if (label !== undefined) return { kind: "scored", texts, label, sure: Math.min(sure, 0.5) };
    return told === undefined ? { kind: "pairs", texts, sure } : undefined;
  }
  const text = columnNamed(columns, TEXTS, options.field);
  const vector = columnNamed(
    columns,
    VECTORS,
    told !== undefined && VECTORS.includes(told) ? told : undefined,
  );
  if (text !== undefined && vector !== undefined && options.pairField === undefined) {
    return { kind: "vectors", texts: [text], label: vector, sure: 1 };
  }
  const label = columnNamed(columns, CLASSES, told);
  if (text === undefined || label === undefined || options.pairField !== undefined) return undefined;
  return { kind: "classes", texts: [text], label, sure: 0.25 };
};

/** What is wanted, in words. */
export const wants =
  "two texts (anchor and positive, query and answer, sentence1 and sentence2 ...), alone, with a score, or " +
  "with negative, negative_1 ...; or text and label, or text and embedding (numbers); name them with " +
  "--field, --pair-field and --label-field";

/** How well columns suit embeddings. */
export const fits = (columns: readonly Column[], options: RecordOptions): number =>
  placesOf(columns, options)?.sure ?? 0;

/** What examples columns make; undefined where they suit nothing. */
export const kindOfColumns = (columns: readonly Column[], options: RecordOptions): GroupKind | undefined =>
  placesOf(columns, options)?.kind;

const refuse = (row: Row, field: string, what: string): never => {
  throw new DataError(what, {
    file: row.id,
    field,
    hint: "mend it, or leave such records out with --skip-bad-rows",
  });
};

const scoreOf = (row: Row, field: string): number => {
  const value = row.fields[field];
  const number = typeof value === "string" && value.trim() === "" ? Number.NaN : Number(value ?? Number.NaN);
  if (Number.isFinite(number) && !Array.isArray(value)) return number;
  return refuse(row, field, `${JSON.stringify(value) ?? "nothing"} is no number, which a score must be`);
};

const classOf = (row: Row, field: string): string => {
  const name = asText(row.fields[field])?.text.trim() ?? "";
  return name === "" ? refuse(row, field, "the label is missing") : name;
};

/** The numbers of a vector: a list, or a cell of JSON. */
const vectorOf = (row: Row, field: string): readonly number[] => {
  let value: unknown = row.fields[field];
  if (typeof value === "string") {
    try {
      value = parseText(value);
    } catch {
      refuse(row, field, "holds a text that is no list of numbers");
    }
  }
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  if (list.length === 0) refuse(row, field, "holds no list of numbers");
  const odd = list.findIndex((x) => typeof x !== "number" || !Number.isFinite(x));
  if (odd >= 0) refuse(row, field, `item ${odd} is ${JSON.stringify(list[odd])}, no finite number`);
  return list as readonly number[];
};

/** The texts of a column of negatives: one, a list of them, or none. */
const negativesIn = (row: Row, field: string): string[] => {
  const value = row.fields[field];
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  return all.flatMap((each) => {
    const text = asText(each)?.text.trim() ?? "";
    return text === "" ? [] : [text];
  });
};

/** All texts of a row. Throws DataError where the anchor or the positive is missing. */
const textsIn = (row: Row, { texts }: Places): string[] => [
  ...texts.slice(0, 2).map((name) => textField(row, name)),
  ...texts.slice(2).flatMap((name) => negativesIn(row, name)),
];

/** The part of an example that holds the tokens of its text at place `g`. */
export const textPart = (g: number): string => (g === 0 ? "ids" : `text${g}`);

/** The texts of an example as token ids. */
export const textsOf = ({ parts }: Example): readonly ArrayLike<number>[] => {
  const texts: ArrayLike<number>[] = [];
  for (let g = 0; parts[textPart(g)] !== undefined; g++) texts.push(parts[textPart(g)]!);
  return texts;
};

/** The numbers by which an example's texts are known: equal ones where the texts are. */
export const keysOf = ({ parts }: Example): readonly number[] => Array.from(parts.keys!);

/** What kind of examples they are: triplets where one has a text that is wrong. */
export const kindIn = (examples: readonly Example[]): GroupKind => {
  const { parts } = examples[0]!;
  if (parts.score !== undefined) return "scored";
  if (parts.class !== undefined) return "classes";
  if (parts.given !== undefined) return "vectors";
  return examples.some((example) => example.parts[textPart(2)] !== undefined) ? "triplets" : "pairs";
};

const LABEL_BITS = 0x7fffffff;

const labelParts = (row: Row, { kind, label }: Places): Readonly<Record<string, readonly number[]>> => {
  if (kind === "scored") return { score: [scoreOf(row, label!)] };
  if (kind === "vectors") return { given: vectorOf(row, label!) };
  return kind === "classes" ? { class: [streamOf(classOf(row, label!)) & LABEL_BITS] } : {};
};

const exampleOf = (row: Row, places: Places, how: EncodeRowsOptions & { readonly refuses: boolean }) => {
  const { tokenizer, context, refuses } = how;
  const texts = textsIn(row, places);
  let cut = false;
  const tokens = texts.map((text, g) => {
    const whole = tokenizer.encodeInputs(text).ids;
    if (whole.length <= context) return whole;
    if (refuses) {
      const field = places.texts[Math.min(g, places.texts.length - 1)]!;
      refuse(row, field, `has ${whole.length} tokens, and the model takes ${context}`);
    }
    cut = true;
    return tokenizer.encodeInputs(text, { maxLength: context }).ids;
  });
  const label = labelParts(row, places);
  const example: Example = {
    length: tokens.reduce((most, { length }) => Math.max(most, length), 1),
    parts: {
      ...Object.fromEntries(tokens.map((ids, g) => [textPart(g), ids])),
      keys: texts.map(streamOf),
      ...label,
    },
    // What an anchor is asked for must not be known from training.
    unit: streamOf(texts[0]!),
    ...(label.class === undefined ? {} : { stratum: String(label.class[0]) }),
  };
  return { example, cut };
};

const encode = (rows: readonly Row[], places: Places, how: EncodeRowsOptions, refuses: boolean): Encoded => {
  let width: number | undefined;
  const make = (row: Row) => {
    const made = exampleOf(row, places, { ...how, refuses });
    const own = made.example.parts.given?.length;
    width ??= own;
    if (own !== width) {
      refuse(row, places.label!, `is a vector of ${own} numbers, and the first record's has ${width}`);
    }
    return made;
  };
  const all = taken(rows, make, how.onBad);
  return {
    rows: all.map(([row]) => row),
    examples: all.map(([, { example }]) => example),
    truncated: all.filter(([, { cut }]) => cut).length,
  };
};

const shown = (row: Row, example: Example, places: Places, tokenizer: Tokenizer): string => {
  const texts = textsOf(example).map((ids) => tokenizer.decode(Array.from(ids), { keepSpecial: true }));
  const { label: field, kind } = places;
  const said =
    kind === "vectors" ? `${example.parts.given!.length} numbers` : asText(row.fields[field ?? ""])?.text;
  const label = field === undefined ? "" : ` -> ${said}`;
  return `${texts.join(" | ")}${label}`;
};

/** Sees the records. Throws DataError where no columns suit. */
export const read = (rows: readonly Row[], { options }: ReadingOptions): Reading => {
  const columns = columnsOf(rows);
  const places = placesOf(columns, options);
  if (places === undefined) {
    throw new DataError("the records have no texts that belong together", {
      ...(rows[0] === undefined ? {} : { file: rows[0].id }),
      hint: `their fields are ${columns.map(({ name }) => name).join(", ")}; wanted: ${wants}`,
    });
  }
  const { kind, texts, label } = places;
  return {
    wanted: {},
    notes: [`records: ${kind} of ${texts.join(", ")}${label === undefined ? "" : ` by ${label}`}`],
    encode: (some, how) => encode(some, places, how, options.tooLong === "refuse"),
    texts: (row) => textsIn(row, places),
    show: (row, example, tokenizer) => shown(row, example, places, tokenizer),
  };
};
