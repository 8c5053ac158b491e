/** The labels of texts: found in a user's rows, checked, and turned into what a loss reads. */
import type { Labels } from "../../models/encoders/encoder.ts";
import { DataError } from "../../util/errors.ts";
import { editDistance, nearest } from "../../util/nearest.ts";
import type { ReadingOptions, Row } from "../records.ts";

/** What a classifier's logits mean; `ranking` is one logit, the log-odds that a text answers a query. */
export type Problem = "single_label_classification" | "multi_label_classification" | "regression" | "ranking";

/** What the logits of a model with these labels mean. */
export const problemIn = ({ id2label, problem_type }: Labels): Problem => {
  const count = Object.keys(id2label).length;
  if (problem_type === "multi_label_classification") return count === 1 ? "ranking" : problem_type;
  if (problem_type === "regression" || count === 1) return "regression";
  return "single_label_classification";
};

/** The labels of a row before they are numbers: names, or one number. */
export type Said = readonly string[] | number;

/** How the labels of rows are read. */
export interface LabelReading {
  readonly problem: Problem;
  /** By id; one name for a score. */
  readonly names: readonly string[];
  /** Whether they are the model's own, in its order. */
  readonly own: boolean;
  /** The labels of a row: ids, or one number. Throws DataError naming its place. */
  of(row: Row): readonly number[];
}

/** Where the labels of rows are. */
export interface LabelPlaces {
  readonly fields: readonly string[];
  readonly problem: Problem;
}

const isBlank = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (typeof value === "string" && value.trim() === "") ||
  (typeof value === "number" && Number.isNaN(value));

const refuse = (row: Row, field: string, what: string, hint: string): never => {
  throw new DataError(what, { file: row.id, field, hint });
};

const LEAVE = "give every record its label, or leave such records out with --skip-bad-rows";

/** The value of a row's label. Throws DataError where there is none. */
export const labelValue = (row: Row, field: string): unknown => {
  const value = row.fields[field];
  return isBlank(value) ? refuse(row, field, "the label is missing", LEAVE) : value;
};

/** Whether a value is a number, or a text that is one. */
export const isNumeric = (value: unknown): boolean =>
  typeof value === "number" ||
  typeof value === "bigint" ||
  (typeof value === "string" && /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*$/i.test(value));

/** A list of labels: of JSON, or a text that is such a list. */
const listOf = (value: unknown): readonly unknown[] | undefined => {
  if (Array.isArray(value)) return value;
  if (typeof value !== "string" || !/^\s*\[.*\]\s*$/s.test(value)) return undefined;
  try {
    const parsed: unknown = JSON.parse(value);
    return Array.isArray(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
};

/** Names of fields whose numbers are no classes. */
const SCORES = /score|similarity|relatedness/i;

/** What the labels mean, by their values. */
export const problemOf = (rows: readonly Row[], fields: readonly string[]): Problem => {
  const [field] = fields;
  if (fields.length > 1) return "multi_label_classification";
  const values = rows.map((row) => row.fields[field!]).filter((value) => !isBlank(value));
  if (values.some((value) => listOf(value) !== undefined)) return "multi_label_classification";
  const numeric = values.filter(isNumeric);
  const isWhole = numeric.every((value) => Number.isInteger(Number(value)));
  const numbers = numeric.length > values.length / 2;
  return numbers && (!isWhole || SCORES.test(field!)) ? "regression" : "single_label_classification";
};

const asName = (value: unknown): string | undefined => {
  if (typeof value === "string") return value.trim();
  return typeof value === "number" || typeof value === "boolean" || typeof value === "bigint"
    ? String(value)
    : undefined;
};

const numberIn = (row: Row, field: string): number => {
  const value = labelValue(row, field);
  const number = isNumeric(value) ? Number(value) : Number.NaN;
  if (Number.isFinite(number)) return number;
  return refuse(row, field, `${JSON.stringify(value)} is no number, which a score must be`, LEAVE);
};

/** Of a column that stands for a label: whether the row has it. */
const has = (row: Row, field: string): boolean => {
  const value = labelValue(row, field);
  const name = asName(value)?.toLowerCase() ?? "";
  if (["1", "true", "1.0"].includes(name)) return true;
  if (["0", "false", "0.0"].includes(name)) return false;
  return refuse(
    row,
    field,
    `${JSON.stringify(value)} is neither 0 nor 1`,
    "a column of one label has 0 or 1",
  );
};

const singleName = (row: Row, field: string): string => {
  const value = labelValue(row, field);
  const name = asName(value);
  if (name !== undefined) return name;
  return refuse(row, field, `holds ${Array.isArray(value) ? "a list" : "an object"}, no label`, LEAVE);
};

const namesIn = (row: Row, fields: readonly string[]): readonly string[] => {
  if (fields.length > 1) return fields.filter((field) => has(row, field));
  const [field] = fields;
  const value = row.fields[field!];
  // A text may have none of several labels.
  const list = listOf(value) ?? (isBlank(value) ? [] : [singleName(row, field!)]);
  return list.map((each) => asName(each) ?? refuse(row, field!, "holds a label that is no text", LEAVE));
};

/** The labels of a row, as they are written. Throws DataError naming its place. */
export const saidIn = (row: Row, { fields, problem }: LabelPlaces): Said => {
  if (problem === "multi_label_classification") return namesIn(row, fields);
  return problem === "single_label_classification"
    ? [singleName(row, fields[0]!)]
    : numberIn(row, fields[0]!);
};

const isInteger = (name: string): boolean => /^-?\d+$/.test(name);

/** Numbers by their size, names by their characters. */
const sorted = (names: Iterable<string>): string[] => {
  const all = [...names];
  return all.every(isInteger)
    ? all.sort((a, b) => Number(a) - Number(b))
    : all.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
};

interface Seen {
  readonly count: number;
  readonly first: Row;
}

type Entry = readonly [name: string, seen: Seen];

/** How often each label occurs, and the first row that has it. */
export const seenLabels = (
  rows: readonly Row[],
  labelsOf: (row: Row) => readonly string[],
): ReadonlyMap<string, Seen> => {
  const seen = new Map<string, Seen>();
  for (const row of rows) {
    for (const name of labelsOf(row)) {
      const { count = 0, first = row } = seen.get(name) ?? {};
      seen.set(name, { count: count + 1, first });
    }
  }
  return seen;
};

/** A label is rare beside another of which it may be a misspelling. */
const RARE = 50;

/** A misspelling does not occur often. */
const FEW = 3;

/** Whether one name may be the other with a slip of the pen. */
const isNear = (name: string, other: string): boolean => {
  const most = name.length < 7 ? 1 : 2;
  if (name === other || name.length < 3 || Math.abs(name.length - other.length) > most) return false;
  const [a, b] = [name.toLowerCase(), other.toLowerCase()];
  // Two letters that changed places are two edits.
  const letters = (word: string): string => [...word].sort().join();
  return editDistance(a, b) <= (letters(a) === letters(b) ? 2 : most);
};

const times = (count: number): string => (count === 1 ? "once" : `${count} times`);

/** Whether `name` is most likely the other one mistyped: rare beside it and near, or of other case alone. */
const isSlip = ([name, { count }]: Entry, [other, { count: often }]: Entry): boolean => {
  const sameLetters = name !== other && name.toLowerCase() === other.toLowerCase();
  return sameLetters ? count <= often : count <= FEW && often >= count * RARE && isNear(name, other);
};

/** Throws DataError for a label that is most likely another one mistyped. */
export const refuseMistyped = (seen: ReadonlyMap<string, Seen>, field: string): void => {
  const all = [...seen];
  const total = all.reduce((sum, [, { count }]) => sum + count, 0);
  const numbers = all.reduce((sum, [name, { count }]) => sum + (isNumeric(name) ? count : 0), 0);
  for (const [name, { count, first }] of all) {
    const isNumber = isNumeric(name);
    const odd = isNumber ? numbers * RARE < total : (total - numbers) * RARE < total;
    if (odd && total > RARE) {
      const others = isNumber ? "names" : "numbers";
      refuse(first, field, `the label ${JSON.stringify(name)} stands among ${others}`, TOLD);
    }
    if (isNumber) continue;
    const near = all.find((other) => isSlip([name, { count, first }], other))?.[0];
    if (near === undefined) continue;
    refuse(first, field, `the label ${JSON.stringify(name)} occurs ${times(count)}: is it "${near}"?`, TOLD);
  }
};

const TOLD = "mend it, leave the record out, or say with --labels what all labels are";

/** Ids of the model's own labels by the names in the data, where both have the same set. */
const ownIds = (names: readonly string[], own: Labels, fixed: boolean): Map<string, number> | undefined => {
  const known = Object.values(own.id2label);
  const ids = new Map(known.map((name, id) => [name, id]));
  const covers = names.every((name) => ids.has(name));
  if (covers && (fixed || names.length === known.length)) return ids;
  // Numbers from 0 on are ids.
  const numbers = new Map(known.map((_, id) => [String(id), id]));
  const counts = names.every((name) => numbers.has(name));
  return counts && (fixed || names.length === known.length) ? numbers : undefined;
};

const idsBy =
  (ids: ReadonlyMap<string, number>, places: LabelPlaces) =>
  (row: Row): readonly number[] =>
    (saidIn(row, places) as readonly string[]).map((name) => {
      const id = ids.get(name);
      if (id !== undefined) return id;
      const near = nearest(name, ids.keys());
      const guess = near === undefined ? "" : `did you mean "${near}"? `;
      const known = [...ids.keys()].slice(0, 20).join(", ");
      return refuse(
        row,
        places.fields[0]!,
        `the label ${JSON.stringify(name)} is not known`,
        `${guess}known: ${known}`,
      );
    });

/** Throws DataError where there is nothing to tell apart. */
const requireTwo = (seen: ReadonlyMap<string, Seen>, { fields, problem }: LabelPlaces): void => {
  const least = problem === "single_label_classification" ? 2 : 1;
  if (seen.size >= least) return;
  const [[name, found] = ["", undefined]] = seen;
  throw new DataError(
    found === undefined ? "no record has a label" : `all records have the label ${JSON.stringify(name)}`,
    {
      ...(found === undefined ? {} : { file: found.first.id }),
      field: fields.join(", "),
      hint: "give records of two classes or more, or name another field with --label-field",
    },
  );
};

/** The labels of `rows`, which are those to train on, or to measure on. Throws DataError naming a place. */
export const readLabels = (
  rows: readonly Row[],
  places: LabelPlaces,
  { options, own, fixed = false }: ReadingOptions,
): LabelReading => {
  const { problem, fields } = places;
  if (problem === "regression" || problem === "ranking") {
    const names =
      own === undefined || Object.keys(own.id2label).length !== 1 ? ["score"] : Object.values(own.id2label);
    return { problem, names, own: own !== undefined, of: (row) => [numberIn(row, fields[0]!)] };
  }
  const seen = seenLabels(rows, (row) => saidIn(row, places) as readonly string[]);
  const found = sorted(fields.length > 1 ? fields : seen.keys());
  const told = options.labels;
  const kept = own === undefined ? undefined : ownIds(told.length > 0 ? told : found, own, fixed);
  if (kept !== undefined) {
    return { problem, names: Object.values(own!.id2label), own: true, of: idsBy(kept, places) };
  }
  if (fixed) {
    const ids = new Map(Object.values(own!.id2label).map((name, id) => [name, id]));
    return { problem, names: [...ids.keys()], own: true, of: idsBy(ids, places) };
  }
  if (told.length === 0 && fields.length === 1) {
    requireTwo(seen, places);
    refuseMistyped(seen, fields[0]!);
  }
  const names = told.length > 0 ? told : fields.length > 1 ? fields : found;
  const ids = new Map(names.map((name, id) => [name, id]));
  return { problem, names, own: false, of: idsBy(ids, places) };
};
