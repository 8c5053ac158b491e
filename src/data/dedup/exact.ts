/** Exact duplicates of documents: texts that are the same, character by character, once they are cleaned. */
import type { Document, StageRecorder } from "../records/document.ts";
import { hash128 } from "./hash.ts";

const utf8 = new TextEncoder();

/** 128 bits of hash as a string key: two different texts of any corpus have different ones. */
export const textHash = (text: string): string => hash128(utf8.encode(text));

/** Keeps the first of equal documents; the record names which one the others match. */
export async function* dedup(
  documents: AsyncIterable<Document> | Iterable<Document>,
  record: StageRecorder,
): AsyncGenerator<Document> {
  const seen = new Map<string, string>();
  for await (const doc of documents) {
    record.in(doc);
    const key = textHash(doc.text);
    const first = seen.get(key);
    if (first !== undefined) {
      record.drop("exact duplicate", doc, first);
      continue;
    }
    seen.set(key, doc.id);
    record.out(doc);
    yield doc;
  }
}
