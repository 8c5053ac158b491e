/** Words with tags: of records with tokens and tags, or with a text and spans of characters. */
import { DataError } from "../../util/errors.ts";
import { nearest } from "../../util/nearest.ts";
import { type Column, columnNamed, type RecordOptions, type Row, textField } from "../records.ts";
import { refuseMistyped, seenLabels } from "./labels.ts";

/** A word of a text and what it is labelled. */
export interface Word {
  readonly text: string;
  readonly tag: string;
  /** Characters of the text before it and before its end. */
  readonly start: number;
  readonly end: number;
}

/** Words in their text. */
export interface Sentence {
  readonly text: string;
  readonly words: readonly Word[];
}

/** Which fields hold the words and their tags. */
export interface WordPlaces {
  readonly kind: "tokens" | "spans";
  readonly text: string;
  readonly labels: string;
}

const TOKENS = ["tokens", "words"];
const TAGS = ["tags", "ner_tags", "labels", "pos_tags", "chunk_tags", "ner"];
const TEXTS = ["text", "sentence", "content"];
const SPANS = ["spans", "entities", "label", "labels"];

/** The fields that are looked for, in words. */
export const wordWants =
  "lists of tokens and of tags (tokens and tags, ner_tags ...; or CoNLL columns), or a text and spans " +
  '([{"start": 0, "end": 5, "label": "PER"}])';

const parsed = (value: unknown): unknown => {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
};

const isSpan = (x: unknown): boolean => typeof x === "object" && x !== null && "start" in x && "end" in x;

const listsIn = ({ values }: Column): readonly (readonly unknown[])[] =>
  values.map(parsed).filter((value): value is unknown[] => Array.isArray(value));

/** The fields of words with tags among the columns. */
export const wordPlaces = (
  columns: readonly Column[],
  { field, labelFields }: RecordOptions,
): WordPlaces | undefined => {
  const [told] = labelFields;
  const lists = columns.filter((column) => listsIn(column).length > 0);
  const ofSpans = lists.filter((column) => listsIn(column).some((list) => list.some(isSpan)));
  const tokens = columnNamed(lists, TOKENS, field);
  const tags = columnNamed(lists, TAGS, told);
  if (tokens !== undefined && tags !== undefined && tokens !== tags) {
    return { kind: "tokens", text: tokens, labels: tags };
  }
  const text = columnNamed(columns, TEXTS, field);
  const spans = columnNamed(ofSpans, SPANS, told);
  return text === undefined || spans === undefined ? undefined : { kind: "spans", text, labels: spans };
};

const refuse = (row: Row, field: string, what: string, hint?: string): never => {
  throw new DataError(what, { file: row.id, field, ...(hint === undefined ? {} : { hint }) });
};

const texts = (row: Row, field: string): readonly string[] => {
  const value = parsed(row.fields[field]);
  if (!Array.isArray(value) || value.length === 0) return refuse(row, field, "holds no list of texts");
  return value.map((x: unknown, i) =>
    typeof x === "string" || typeof x === "number" ? String(x) : refuse(row, field, `item ${i} is no text`),
  );
};

const tokenSentence = (row: Row, { text: field, labels }: WordPlaces): Sentence => {
  const tokens = texts(row, field);
  const tags = texts(row, labels);
  if (tokens.length !== tags.length) {
    refuse(
      row,
      labels,
      `${tags.length} tags stand beside ${tokens.length} tokens`,
      "give each token one tag",
    );
  }
  let at = 0;
  const words = tokens.map((text, i): Word => {
    if (text.trim() === "") refuse(row, field, `token ${i} is empty`);
    const start = at;
    at += text.length + 1;
    return { text, tag: tags[i]!, start, end: start + text.length };
  });
  return { text: tokens.join(" "), words };
};

/** A run of characters with a label. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly label: string;
}

const spanIn = (row: Row, field: string, text: string, value: unknown): Span => {
  const { start, end, label, text: said } = value as Record<string, unknown>;
  const [from, to] = [Number(start), Number(end)];
  const shown = JSON.stringify(value);
  if (typeof label !== "string" || label.trim() === "") refuse(row, field, `the span ${shown} has no label`);
  if (!(Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from < to && to <= text.length)) {
    const hint = "count characters from 0; the end is behind the last one";
    refuse(row, field, `the span ${shown} is not within the text's ${text.length} characters`, hint);
  }
  const held = text.slice(from, to);
  if (said !== undefined && said !== held) {
    refuse(row, field, `the span ${shown} does not match the text: there stands ${JSON.stringify(held)}`);
  }
  if (held.trim() !== held) refuse(row, field, `the span ${shown} begins or ends with a space`);
  return { start: from, end: to, label: String(label).trim() };
};

/** Letters and digits that stand together, or one other character. */
const WORD = /[\p{L}\p{M}\p{N}]+|[^\s\p{L}\p{M}\p{N}]/gu;

const spanSentence = (row: Row, { text: field, labels }: WordPlaces): Sentence => {
  const text = textField(row, field);
  if (row.fields[labels] === undefined) {
    const hint = "write [] where a text has none, or leave such records out with --skip-bad-rows";
    return refuse(row, labels, "is missing", hint);
  }
  const value = parsed(row.fields[labels]) ?? [];
  if (!Array.isArray(value)) return refuse(row, labels, "holds no list of spans");
  const spans = value
    .map((each: unknown) => spanIn(row, labels, text, each))
    .sort((a, b) => a.start - b.start);
  const over = spans.find((span, i) => i > 0 && span.start < spans[i - 1]!.end);
  if (over !== undefined) refuse(row, labels, `the span ${JSON.stringify(over)} overlaps another`);
  const cuts = [0, ...spans.flatMap(({ start, end }) => [start, end]), text.length];
  const words = cuts.slice(0, -1).flatMap((from, i) =>
    Array.from(text.slice(from, cuts[i + 1]!).matchAll(WORD), (found): Word => {
      const start = from + found.index;
      const span = spans.find((each) => start >= each.start && start < each.end);
      const tag = span === undefined ? "O" : `${start === span.start ? "B" : "I"}-${span.label}`;
      return { text: found[0], tag, start, end: start + found[0].length };
    }),
  );
  return { text, words };
};

/** The words of a row with their tags. Throws DataError naming its place. */
export const sentenceIn = (row: Row, places: WordPlaces): Sentence =>
  places.kind === "tokens" ? tokenSentence(row, places) : spanSentence(row, places);

const TAG = /^(?:O|[BIESLU]-.+)$/;

/** Whether labels are tags of entities. */
export const areEntities = (names: readonly string[]): boolean =>
  names.includes("O") && names.every((name) => TAG.test(name)) && names.length > 1;

/** Share of the tags up to which those of another form are slips of the pen. */
const FEW = 0.02;

/**
 * The place of a tag that is not of the form that nearly all others have, and one that it may be; undefined
 * where there is none.
 */
const oddTag = (
  sentences: readonly Sentence[],
): { readonly sentence: number; readonly tag: string; readonly near: string | undefined } | undefined => {
  const tags = sentences.flatMap(({ words }, sentence) => words.map(({ tag }) => ({ sentence, tag })));
  const odd = tags.filter(({ tag }) => !TAG.test(tag));
  const [first] = odd;
  if (first === undefined || odd.length > FEW * tags.length) return undefined;
  const known = new Set(tags.map(({ tag }) => tag).filter((tag) => TAG.test(tag)));
  return known.has("O") && known.size > 1 ? { ...first, near: nearest(first.tag, known) } : undefined;
};

/** Throws DataError for a type of entity that is most likely another one mistyped. */
const refuseOddType = (sentences: ReadonlyMap<Row, Sentence>, { labels }: WordPlaces): void => {
  const tagsIn = (row: Row): readonly string[] => sentences.get(row)!.words.map(({ tag }) => tag);
  const rows = [...sentences.keys()];
  // Parts of speech differ in a letter: VBZ and VBP.
  if (!areEntities([...new Set(rows.flatMap(tagsIn))])) return;
  const types = (row: Row) => tagsIn(row).flatMap((tag) => (tag === "O" ? [] : [tag.slice(2)]));
  refuseMistyped(seenLabels(rows, types), labels);
};

/** Throws DataError for a tag of another form than nearly all others. */
const refuseOdd = (sentences: readonly (readonly [Row, Sentence])[], { labels }: WordPlaces): void => {
  const odd = oddTag(sentences.map(([, sentence]) => sentence));
  if (odd === undefined) return;
  const guess = odd.near === undefined ? "" : `: is it "${odd.near}"?`;
  throw new DataError(`the tag ${JSON.stringify(odd.tag)} is not of the form of the others${guess}`, {
    ...{ file: sentences[odd.sentence]![0].id, field: labels },
    hint: "mend it, leave the record out, or say with --labels what all labels are",
  });
};

/** Throws DataError for a tag, or a type of entity, that is most likely another one mistyped. */
export const refuseMistypedTags = (
  sentences: readonly (readonly [Row, Sentence])[],
  places: WordPlaces,
): void => {
  refuseOdd(sentences, places);
  refuseOddType(new Map(sentences), places);
};

/** All tags of the scheme that the found ones are of, O first: a type has each prefix, seen or not. */
export const tagNames = (found: Iterable<string>): readonly string[] => {
  const names = [...new Set(found)].sort((a, b) => (a < b ? -1 : 1));
  if (!areEntities([...names, "O"])) return names;
  const types = [...new Set(names.filter((name) => name !== "O").map((name) => name.slice(2)))];
  const used = new Set(names.map((name) => name[0]!));
  const ending = [...used].some((prefix) => "LU".includes(prefix)) ? "BILU" : "BIES";
  const prefixes = [...used].some((prefix) => "LUES".includes(prefix)) ? ending : "BI";
  return ["O", ...types.flatMap((type) => Array.from(prefixes, (prefix) => `${prefix}-${type}`))];
};
