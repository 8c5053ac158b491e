/** Exact duplicates of documents, and paragraphs that many documents share. */
import type { Document, StageRecorder } from "./document.ts";
import { hash128 } from "./hash.ts";

/** What two texts must have in common to count as the same: case and white space do not matter. */
export const normalized = (text: string): string => text.toLowerCase().replace(/\s+/g, " ").trim();

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
    const key = textHash(normalized(doc.text));
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

const PARAGRAPH = /\n{2,}/;

export interface BoilerplateOptions {
  /** A paragraph stays in the first of this many documents that have it, and goes from all others. */
  readonly keep?: number;
  /** Shorter paragraphs (headings, rules) are left alone. */
  readonly minChars?: number;
}

interface Seen {
  /** Documents that have the paragraph. */
  count: number;
  readonly first: string;
  last: string;
}

/**
 * Counts the paragraphs of documents: says in which document one stood first, where it has stood in `keep`
 * others.
 */
const paragraphCounter = ({ keep = 1, minChars = 80 }: BoilerplateOptions) => {
  const seen = new Map<string, Seen>();
  return (id: string, paragraph: string): string | undefined => {
    const plain = normalized(paragraph);
    if (plain.length < minChars) return undefined;
    const key = textHash(plain);
    const before = seen.get(key);
    if (before === undefined) {
      seen.set(key, { count: 1, first: id, last: id });
      return undefined;
    }
    // A refrain within one document is that document's own.
    if (before.last !== id) before.count++;
    before.last = id;
    return before.count > keep ? before.first : undefined;
  };
};

/**
 * Drops paragraphs that earlier documents had already (licences, badges, notices). A document goes when it is
 * left empty, or when what is left of it is what is left of another.
 */
export async function* dropBoilerplate(
  documents: AsyncIterable<Document> | Iterable<Document>,
  record: StageRecorder,
  options: BoilerplateOptions = {},
): AsyncGenerator<Document> {
  const standsIn = paragraphCounter(options);
  const rests = new Map<string, string>();
  for await (const doc of documents) {
    record.in(doc);
    const kept = doc.text.split(PARAGRAPH).filter((text) => {
      const first = standsIn(doc.id, text);
      if (first !== undefined) record.drop("repeated paragraph", { id: doc.id, text }, first);
      return first === undefined;
    });
    const text = kept.join("\n\n").trim();
    const key = textHash(normalized(text));
    const same = rests.get(key);
    if (text === "") record.drop("only repeated paragraphs", doc);
    else if (same !== undefined) record.drop("duplicate without repeated paragraphs", doc, same);
    else {
      rests.set(key, doc.id);
      const rest = { ...doc, text };
      record.out(rest);
      yield rest;
    }
  }
}
