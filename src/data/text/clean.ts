/**
 * Repair of single documents: Unicode, line ends, control characters, white space; empty ones are dropped.
 */

import type { Document, StageRecorder } from "../records/document.ts";
import { isMissing } from "../records/fields.ts";
import { CONTROL, removeEscapes, removeHalves, separatorsToSpace } from "./controls.ts";
import { windowsControls } from "./mojibake.ts";

const TRAILING = /[^\S\n]\n/;

/** Lines without white space at their ends. By lines: a pattern costs the square of a long run's length. */
const trimLines = (text: string): string =>
  TRAILING.test(text)
    ? text
        .split("\n")
        .map((line) => line.trimEnd())
        .join("\n")
    : text;

/** LF line ends, no white space at line ends, at most one blank line in a row. */
export const tidyLines = (text: string): string =>
  trimLines(text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text)
    .replace(/\n{3,}/g, "\n\n")
    .trim();

const ASCII = /^[\t\n\x20-\x7e]*$/;

/** What only texts with other characters than printable ASCII need. */
const cleanCharacters = (text: string): string =>
  removeHalves(
    separatorsToSpace(windowsControls(removeEscapes(text)).normalize("NFC"))
      .replace(/\r\n?/g, "\n")
      .replace(CONTROL, ""),
  );

/** NFC, LF line ends, no control characters, no white space at line ends, at most one blank line in a row. */
export const cleanText = (text: string): string => tidyLines(ASCII.test(text) ? text : cleanCharacters(text));

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
