/**
 * Repair of single documents: Unicode, line ends, control characters, white space; empty ones are dropped.
 */
import type { Document, StageRecorder } from "./document.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u0080-\u009f\ufeff\ufffe\uffff]/g;

// Runs are matched from their start only: a long run inside a line would otherwise cost the square of its
// length.
const LINE_END = /(?<![^\S\n])[^\S\n]+$/gm;

/** Half of a character, which cannot be written as UTF-8. */
const LONE = /[\ud800-\udfff]/gu;

/** NFC, LF line ends, no control characters, no white space at line ends, at most one blank line in a row. */
export const cleanText = (text: string): string =>
  text
    .normalize("NFC")
    .replace(/\r\n?|\u2028|\u2029/g, "\n")
    .replace(CONTROL, "")
    .replace(LONE, "")
    .replace(LINE_END, "")
    .replace(/\n{3,}/g, "\n\n")
    .trim();

/** Values that say that there is no value. */
const NULL_LIKE = new Set(["", "-", "na", "n/a", "nan", "null", "none", "undefined"]);

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
    else if (NULL_LIKE.has(text.toLowerCase())) record.drop("missing value", doc);
    else {
      record.out(cleaned);
      yield cleaned;
    }
  }
}
