/**
 * Records as documents. The shapes are those that trainers agree on: {text}, {prompt, completion} or
 * {source, target}, {messages} and ShareGPT's {conversations}. A pair's text is the one side, a line end and
 * the other; a conversation's is a line "role: content" for each message.
 */
import { DataError, type ErrorDetails } from "../../util/errors.ts";
import { maskPersonal } from "../filter/personal.ts";
import type { Document, Turn } from "./document.ts";
import { asText, type FieldPolicies, type Fields, fillMissing } from "./fields.ts";
import { parseJson } from "./json.ts";
import { turnOf } from "./turn.ts";

/** Which fields of a record hold its text, and how. */
export type RowShape =
  | { readonly kind: "text"; readonly field: string }
  | { readonly kind: "pair"; readonly fields: readonly [prompt: string, completion: string] }
  | { readonly kind: "turns"; readonly field: string }
  /** Every text of a record, each by itself. */
  | { readonly kind: "every"; readonly fields: readonly string[] }
  /** The record itself, with all of its fields. */
  | { readonly kind: "record"; readonly fields: readonly string[] };

/** Which fields of records hold text, source and group, and what stands for a missing value. */
export interface RowOptions {
  /** Field that holds the text, or the messages; found out unless told. */
  readonly field?: string;
  readonly fields?: FieldPolicies;
  /** Values taken as missing, in lower case; of a source and a group, none unless told: NA is Namibia. */
  readonly nullLike?: readonly string[];
  /** Fields that name the document's source and its group. */
  readonly sourceField?: string;
  readonly groupField?: string;
  readonly onWarning?: (message: string) => void;
  /** Takes all texts of records that have none of the fields above, as turns by their fields' names. */
  readonly every?: boolean;
  /** Takes records as they are, whatever their fields. */
  readonly records?: boolean;
}

/** What decides the shape of a record besides its fields. */
type ShapeOptions = Pick<RowOptions, "field" | "every" | "records">;

/** The text's field unless told, in the order of preference. */
const TEXT_FIELDS = ["text", "content"] as const;
const TURN_FIELDS = ["messages", "conversations"] as const;
/** Names of the two sides of a pair. */
const PAIR_FIELDS = [
  ["prompt", "completion"],
  ["source", "target"],
] as const;

/** The names of a record's fields. */
type FieldNames = Pick<ReadonlySet<string>, "has"> & Iterable<string>;

/**
 * The shape of a record with these fields; undefined where none fits. `field` alone decides if given, but
 * where `every` field will do.
 */
export const rowShape = (names: FieldNames, options: ShapeOptions = {}): RowShape | undefined => {
  const { field, every = false, records } = options;
  if (records) return { kind: "record", fields: Array.from(names) };
  if (field !== undefined && (names.has(field) || !every)) {
    if (!names.has(field)) return undefined;
    return { kind: (TURN_FIELDS as readonly string[]).includes(field) ? "turns" : "text", field };
  }
  const text = TEXT_FIELDS.find((name) => names.has(name));
  if (text !== undefined) return { kind: "text", field: text };
  const turns = TURN_FIELDS.find((name) => names.has(name));
  if (turns !== undefined) return { kind: "turns", field: turns };
  const pair = PAIR_FIELDS.find((fields) => fields.every((name) => names.has(name)));
  if (pair !== undefined) return { kind: "pair", fields: pair };
  return every ? { kind: "every", fields: Array.from(names) } : undefined;
};

/** The fields that a shape reads. */
export const shapeFields = (shape: RowShape): readonly string[] =>
  "fields" in shape ? shape.fields : [shape.field];

/** All fields that are read of a record: the shape's and those that the options name. */
export const fieldsRead = (shape: RowShape, options: RowOptions): ReadonlySet<string> => {
  const { fields = {}, sourceField, groupField } = options;
  const sources = Object.values(fields).flatMap((policy) => ("from" in policy ? [policy.from] : []));
  const named = [sourceField, groupField].filter((name) => name !== undefined);
  return new Set([...shapeFields(shape), ...Object.keys(fields), ...sources, ...named]);
};

/** Some names of fields as messages show them: where a table has no header, they are somebody's data. */
export const shownFields = (names: readonly string[]): string =>
  maskPersonal(names.slice(0, 12).join(", ")).text;

/** The error of a record without a known shape, naming the fields that it has. */
export const noField = (
  found: readonly string[],
  { field }: ShapeOptions,
  place: ErrorDetails,
): DataError => {
  const half = PAIR_FIELDS.flatMap((fields) => {
    const has = fields.filter((name) => found.includes(name));
    return field === undefined && has.length === 1 ? [fields.find((name) => !has.includes(name))!] : [];
  });
  if (half.length > 0) {
    return new DataError(`the record has one side of a pair, and no field "${half[0]}"`, {
      ...place,
      hint: "give every record both sides; --skip-bad-rows counts other records and goes on",
    });
  }
  const wanted = field === undefined ? TEXT_FIELDS : [field];
  return new DataError(`the record has no field "${wanted.join('" or "')}"`, {
    ...place,
    hint: `its fields are: ${shownFields(found)}; name the one with the text with --field`,
  });
};

/** Whether turns are the two sides of a pair. */
export const isPair = (turns: readonly Turn[]): boolean =>
  turns.length === 2 && PAIR_FIELDS.some((fields) => fields.every((name, i) => turns[i]!.role === name));

/** The text of turns: prompt and completion a line each, messages as "role: content". */
export const textOfTurns = (turns: readonly Turn[]): string =>
  isPair(turns)
    ? turns.map(({ content }) => content).join("\n")
    : turns.map(({ role, content }) => `${role}: ${content}`).join("\n");

/** What a value is, in words. */
const kindOf = (value: unknown): string => {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
};

const textField = (record: Fields, name: string, place: ErrorDetails, notes: string[]): string => {
  const made = asText(record[name]);
  if (made === undefined) {
    const hint =
      "name the field with the text with --field; a list of messages is read as such from a field " +
      `named ${TURN_FIELDS.join(" or ")}`;
    throw new DataError(`the field "${name}" holds ${kindOf(record[name])}, no text`, { ...place, hint });
  }
  if (made.from !== undefined) notes.push(`${made.from} converted to text`);
  return made.text;
};

const turnsField = (record: Fields, name: string, place: ErrorDetails): readonly Turn[] => {
  const value = record[name];
  // Tables hold a conversation as JSON.
  const list = typeof value === "string" ? parseJson(value, place) : (value ?? []);
  if (!Array.isArray(list)) throw new DataError(`the field "${name}" holds no list of messages`, place);
  return list.map((each) => turnOf(each, name, place));
};

/** The texts in a value, however deep. */
const textsIn = (value: unknown): readonly string[] => {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
};

const contents = (record: Fields, shape: RowShape, place: ErrorDetails, notes: string[]) => {
  if (shape.kind === "every") {
    const turns = shape.fields.flatMap((role) =>
      textsIn(record[role]).map((content): Turn => ({ role, content })),
    );
    return { text: turns.map(({ content }) => content).join("\n"), turns };
  }
  if (shape.kind === "record") return { text: "", record };
  if (shape.kind === "text") return { text: textField(record, shape.field, place, notes) };
  const turns =
    shape.kind === "turns"
      ? turnsField(record, shape.field, place)
      : shape.fields.map((role) => ({ role, content: textField(record, role, place, notes) }));
  const empty = turns.every(({ content }) => content === "");
  return { text: empty ? "" : textOfTurns(turns), turns };
};

const labels = (
  record: Fields,
  { sourceField, groupField, nullLike = [] }: RowOptions,
  place: ErrorDetails,
) => {
  const label = (name: string | undefined): string => {
    if (name === undefined) return "";
    const made = asText(record[name]);
    if (made === undefined)
      throw new DataError(`the field "${name}" holds ${kindOf(record[name])}, no label`, place);
    const text = made.text.trim();
    return nullLike.includes(text.toLowerCase()) ? "" : text;
  };
  const [source, group] = [label(sourceField), label(groupField)];
  return { ...(source === "" ? {} : { source }), ...(group === "" ? {} : { group }) };
};

const WAY_OUT =
  'a record looks like {"text": "..."}; a file that is one array of records is named .json, one of plain ' +
  "texts .txt; --skip-bad-rows counts other records and goes on";

const ownNames = (record: Fields): FieldNames => ({
  has: (name: string) => Object.hasOwn(record, name),
  [Symbol.iterator]: () => Object.keys(record)[Symbol.iterator](),
});

/** The shape of `record`: the one of the record before if it fits. Throws DataError. */
const shapeOf = (before: RowShape | undefined, record: Fields, options: RowOptions, place: ErrorDetails) => {
  const names = ownNames(record);
  const fixed = before !== undefined && before.kind !== "every" && before.kind !== "record";
  const fits = fixed && shapeFields(before).every(names.has);
  if (fits) return before;
  const shape = rowShape(names, options);
  if (shape === undefined) throw noField(Object.keys(record), options, place);
  return shape;
};

/**
 * A function that makes documents of records. Warns once of the fields of the first record that are not read;
 * throws DataError naming the place for a record that holds no text.
 */
export const rowReader = (options: RowOptions) => {
  let shape: RowShape | undefined;
  const warn = (record: Fields, read: RowShape): void => {
    const used = fieldsRead(read, options);
    const unused = Object.keys(record).filter((name) => !used.has(name));
    if (unused.length === 0) return;
    options.onWarning?.(`these fields are not read: ${unused.slice(0, 12).join(", ")}`);
  };
  return (value: unknown, id: string, place: ErrorDetails): Document => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new DataError(`the record is ${kindOf(value)}, not an object`, { ...place, hint: WAY_OUT });
    }
    const given = value as Fields;
    const { record, notes, dropped } =
      options.fields === undefined
        ? { record: given, notes: [], dropped: undefined }
        : fillMissing(given, options.fields, options.nullLike);
    if (dropped !== undefined) return { id, text: "", dropped };
    const found = shapeOf(shape, record, options, place);
    if (shape === undefined) warn(given, found);
    shape = found;
    const said = [...notes];
    const made = contents(record, shape, place, said);
    return { id, ...made, ...labels(record, options, place), ...(said.length === 0 ? {} : { notes: said }) };
  };
};
