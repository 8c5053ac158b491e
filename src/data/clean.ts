/**
 * Repair of single documents: Unicode, line ends, control characters, white space; empty ones are dropped.
 */
import type { Document, StageRecorder } from "./document.ts";
import { isMissing } from "./fields.ts";

/** Control characters other than tab and line feed, byte order marks and non-characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
export const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u0080-\u009f\ufeff\ufffe\uffff]/g;

const TRAILING = /[^\S\n]\n/;

/** Lines without white space at their ends. By lines: a pattern costs the square of a long run's length. */
const trimLines = (text: string): string =>
  TRAILING.test(text)
    ? text
        .split("\n")
        .map((line) => line.trimEnd())
        .join("\n")
    : text;

/** Half of a character, which cannot be written as UTF-8. */
const LONE = /[\ud800-\udfff]/gu;

/** Looked for first: it is found faster. */
const SURROGATE = /[\ud800-\udfff]/;

const ASCII = /^[\t\n\x20-\x7e]*$/;

/** What only texts with other characters than printable ASCII need. */
const cleanCharacters = (text: string): string => {
  const clean = text
    .normalize("NFC")
    .replace(/\r\n?|\u2028|\u2029/g, "\n")
    .replace(CONTROL, "");
  return SURROGATE.test(clean) ? clean.replace(LONE, "") : clean;
};

/** NFC, LF line ends, no control characters, no white space at line ends, at most one blank line in a row. */
export const cleanText = (text: string): string =>
  trimLines(ASCII.test(text) ? text : cleanCharacters(text))
    .replace(/\n{3,}/g, "\n\n")
    .trim();

/** Cleans each document; the missing and the empty are dropped and counted. */
export async function* clean(
  documents: AsyncIterable<Document> | Iterable<Document>,
  record: StageRecorder,
): AsyncGenerator<Document> {
  for await (const doc of documents) {
    record.in(doc);
    const text = cleanText(doc.text);
    const cleaned = { ...doc, text };
    if (text === "") record.drop("empty", doc);
    else if (isMissing(text)) record.drop("missing value", doc);
    else {
      record.out(cleaned);
      yield cleaned;
    }
  }
}
