/** What duplicates are found by: for each document its exact hash, its size and its near-duplicate keys. */
import { byteCount, type Document } from "../records/document.ts";
import { hash128 } from "./hash.ts";

/**
 * Words of a row before its band keys: 4 of the hash of the text, 1 of the size in bytes, 1 of the
 * cleanness.
 */
export const HEAD_WORDS = 6;

/** Marks that prose has. */
const PROSE = new Set(Array.from(".,;:!?'\"()-", (mark) => mark.charCodeAt(0)));

/**
 * Thousandths of a text's characters that prose is made of: letters and digits of any script, white space and
 * the marks of sentences. Of near-duplicates the cleanest has the fewest left-overs of markup and encodings.
 */
export const cleanness = (text: string): number => {
  let good = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    const letter = (unit | 32) >= 97 && (unit | 32) <= 122;
    const other = unit >= 0xa0 && unit !== 0xfffd && !(unit >= 0xe000 && unit < 0xf900);
    if (letter || other || (unit >= 48 && unit <= 57) || unit === 32 || unit === 10 || PROSE.has(unit))
      good++;
  }
  return text.length === 0 ? 0 : Math.round((1000 * good) / text.length);
};

/** Rows of keys, one a document. */
export interface DocumentKeys {
  readonly count: number;
  /** Words in a row. */
  readonly stride: number;
  /** [count * stride] */
  readonly words: Uint32Array;
}

/** Writes the near-duplicate keys of a document into `out` from `at` on; zeros where it can have none. */
export interface BandSigner {
  /** Words that a document takes. */
  readonly words: number;
  sign(doc: Document, out: Uint32Array, at: number): void;
}

const utf8 = new TextEncoder();

/** Collects the keys of documents as they come. */
export const keyWriter = (signer?: BandSigner) => {
  const stride = HEAD_WORDS + (signer?.words ?? 0);
  let words = new Uint32Array(stride * 64);
  let count = 0;
  return {
    add(doc: Document): void {
      const { text } = doc;
      if ((count + 1) * stride > words.length) {
        const wider = new Uint32Array(words.length * 2);
        wider.set(words);
        words = wider;
      }
      const at = count++ * stride;
      const hash = hash128(utf8.encode(text));
      for (let i = 0; i < 4; i++) words[at + i] = Number.parseInt(hash.slice(8 * i, 8 * i + 8), 16);
      words[at + 4] = byteCount(text);
      words[at + 5] = cleanness(text);
      signer?.sign(doc, words, at + HEAD_WORDS);
    },
    take: (): DocumentKeys => ({ count, stride, words: words.slice(0, count * stride) }),
  };
};

/** The first document with the same hash as each, or -1. `hashes` is [n * 4]. */
export const exactMatches = (hashes: Uint32Array): Int32Array => {
  const n = hashes.length / 4;
  const matches = new Int32Array(n).fill(-1);
  let size = 16;
  while (size < 2 * n) size *= 2;
  const slots = new Int32Array(size).fill(-1);
  const equal = (a: number, b: number): boolean => {
    for (let i = 0; i < 4; i++) if (hashes[4 * a + i] !== hashes[4 * b + i]) return false;
    return true;
  };
  for (let i = 0; i < n; i++) {
    let slot = hashes[4 * i]! & (size - 1);
    while (slots[slot]! >= 0 && !equal(slots[slot]!, i)) slot = (slot + 1) & (size - 1);
    if (slots[slot]! >= 0) matches[i] = slots[slot]!;
    else slots[slot] = i;
  }
  return matches;
};
