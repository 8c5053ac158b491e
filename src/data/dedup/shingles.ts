/**
 * Shingles: hashes of the runs of n words of a text, on which near duplicates are told. Words are read as
 * datatrove reads them by default (lower case, punctuation as white space, no diacritics), but for numbers,
 * which it takes for all alike: rows of a table, sums and invoices have nothing else that tells them apart.
 * Where a script puts no space between words, each character counts as a word, or a text would be one word.
 */
import { ConfigError } from "../../util/errors.ts";
import { unspaced } from "../text/characters.ts";

const SEPARATOR = 0;
const SPACE = 0x20;
const MINUS = 0x2d;
const DIGIT = 0x30;
const NINE = 0x39;

/** What bytes of folded text count as: parting words, a digit, or a letter (in lower case). */
const byteKinds = Uint8Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  if (byte >= 128) return byte;
  return /[0-9A-Za-z]/.test(char) ? char.toLowerCase().charCodeAt(0) : SEPARATOR;
});

const SEPARATES = /[\p{P}\p{Z}\p{Cc}\p{Sm}\p{Sc}\p{Sk}]/u;
const SKIPS = /[\p{Mn}\p{Cf}]/u;
const NUMERALS = /\p{Nd}/u;
const SKIPPED = 1;
const LETTER = 2;
const ALONE = 3;

/** Value of a decimal digit: those of a script stand in a row from 0 to 9 (Unicode, section 4.6). */
const digitValue = (unit: number): number => {
  let first = unit;
  while (NUMERALS.test(String.fromCharCode(first - 1))) first--;
  return (unit - first) % 10;
};

const kindOf = (unit: number): number => {
  const char = String.fromCharCode(unit);
  if (unit < 128) return unit;
  if (unit === 0x2212) return MINUS;
  if (SEPARATES.test(char)) return SPACE;
  if (SKIPS.test(char)) return SKIPPED;
  if (NUMERALS.test(char)) return DIGIT + digitValue(unit);
  return unspaced.test(char) ? ALONE : LETTER;
};

/** What each UTF-16 unit folds to; halves of a pair are letters. Made when first needed: it takes 20 ms. */
const unitKinds: { table?: Uint8Array } = {};

/** Folds text other than ASCII into `bytes` (5 for a unit at most), a letter to three above 127; the end. */
const foldInto = (text: string, bytes: Uint8Array): number => {
  unitKinds.table ??= Uint8Array.from({ length: 0x10000 }, (_, unit) => kindOf(unit));
  const kinds = unitKinds.table;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    const kind = unit < 128 ? SPACE : kinds[unit]!;
    if (unit < 128) bytes[at++] = unit;
    else if (kind > ALONE) bytes[at++] = kind;
    else if (kind !== SKIPPED) {
      if (kind === ALONE) bytes[at++] = SPACE;
      bytes[at++] = 0x80 | (unit >> 14);
      bytes[at++] = 0x80 | (unit >> 7);
      bytes[at++] = 0x80 | unit;
      if (kind === ALONE) bytes[at++] = SPACE;
    }
  }
  return at;
};

/** Murmur's avalanche: each bit of `x` comes to matter to every bit. */
const avalanche = (x: number): number => {
  let h = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
};

const SEED = 0x811c9dc5 | 0;
const PRIME = 0x01000193;

/** Whether the number whose first digit stands at `at` has a minus before it, which follows no word. */
const isNegative = (bytes: Uint8Array, at: number): boolean =>
  at > 0 && bytes[at - 1] === MINUS && (at === 1 || byteKinds[bytes[at - 2]!] === SEPARATOR);

const utf8 = new TextEncoder();

/** Reads the hashes of the words of one text after another, as many at a time as there is room for. */
const wordReader = () => {
  let bytes = new Uint8Array(1 << 14);
  let at = 0;
  let end = 0;
  const reserve = (length: number): void => {
    if (bytes.length < length) bytes = new Uint8Array(Math.max(length, 2 * bytes.length));
  };
  return {
    open(text: string): void {
      reserve(text.length + 2);
      const { read, written } = utf8.encodeInto(text, bytes);
      end = written;
      // ASCII alone has as many bytes as characters.
      if (read < text.length || written > read) {
        const folded = text.toLowerCase().normalize("NFD");
        reserve(5 * folded.length + 2);
        end = foldInto(folded, bytes);
      }
      bytes[end] = SPACE;
      at = 0;
    },
    /** Fills `out` from `from` on as far as words last; the end of what it filled. */
    read(out: Int32Array, from: number): number {
      const units = bytes;
      // The space after the text ends its last word.
      const stop = end + 1;
      let count = from;
      let hash = SEED;
      let i = at;
      while (i < stop && count < out.length) {
        const kind = byteKinds[units[i++]!]!;
        if (kind !== SEPARATOR) {
          if (kind <= NINE && hash === SEED && isNegative(units, i - 1))
            hash = Math.imul(hash ^ MINUS, PRIME);
          hash = Math.imul(hash ^ kind, PRIME);
        } else if (hash !== SEED) {
          out[count++] = avalanche(hash);
          hash = SEED;
        }
      }
      at = i;
      return count;
    },
  };
};

const BLOCK = 2048;

/** Takes `count` shingles; the block is used again for the next ones. */
export type ShingleSink = (block: Int32Array, count: number) => void;

/**
 * A reader of the shingles of `ngram` words, block by block and with repetitions, in memory of one byte a
 * character of the longest text (five where it is not ASCII). A text of fewer words has none.
 */
export const shingler = (ngram: number): ((text: string, sink: ShingleSink) => void) => {
  if (!Number.isInteger(ngram) || ngram < 1 || ngram > 256)
    throw new ConfigError(`${ngram} is no number of words`, { field: "ngram", hint: "Take 1 to 256." });
  const words = wordReader();
  const hashes = new Int32Array(BLOCK + ngram);
  const block = new Int32Array(hashes.length);
  const base = 0x2c1b3c6d;
  let leaving = 1;
  for (let i = 0; i < ngram; i++) leaving = Math.imul(leaving, base);

  /** Rolls over words `0..end`; a shingle starts at each of the first `end - ngram + 1`. */
  const roll = (end: number): number => {
    let sum = 0;
    for (let i = 0; i < ngram - 1; i++) sum = (Math.imul(sum, base) + hashes[i]!) | 0;
    let out = 0;
    for (let i = ngram - 1; i < end; i++) {
      sum = (Math.imul(sum, base) + hashes[i]!) | 0;
      if (i >= ngram) sum = (sum - Math.imul(leaving, hashes[i - ngram]!)) | 0;
      block[out++] = avalanche(sum);
    }
    return out;
  };

  return (text, sink) => {
    words.open(text);
    let end = words.read(hashes, 0);
    if (end < ngram) return;
    for (;;) {
      sink(block, roll(end));
      if (end < hashes.length) return;
      hashes.copyWithin(0, end - ngram + 1, end);
      end = words.read(hashes, ngram - 1);
      if (end < ngram) return;
    }
  };
};

/** The different shingles of texts, sorted: what the exact Jaccard similarity is taken of. */
export const shingleSets = (ngram: number): ((text: string) => Int32Array) => {
  const read = shingler(ngram);
  return (text) => {
    const parts: Int32Array[] = [];
    read(text, (block, count) => parts.push(block.slice(0, count)));
    const all = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    all.sort();
    let kept = 0;
    for (let i = 0; i < all.length; i++) if (i === 0 || all[i] !== all[kept - 1]) all[kept++] = all[i]!;
    return all.slice(0, kept);
  };
};

/** Jaccard similarity of two sorted sets: what they share of what either has, 0 to 1; of empty ones 1. */
export const jaccard = (a: Int32Array, b: Int32Array): number => {
  let [i, j, both] = [0, 0, 0];
  while (i < a.length && j < b.length) {
    const [x, y] = [a[i]!, b[j]!];
    if (x === y) both++;
    if (x <= y) i++;
    if (y <= x) j++;
  }
  const either = a.length + b.length - both;
  return either === 0 ? 1 : both / either;
};
