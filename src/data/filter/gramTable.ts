/**
 * Hashed words and the table of their n-grams, in typed arrays. An n-gram is looked up by a rolling hash, and
 * its words are compared before it counts as found.
 */
import { ALPHA, DIGIT, isTrailing, LETTER, quickClass, UNSPACED } from "../text/characters.ts";

/** Words as two hashes each; word i is text.slice(starts[i], ends[i]). */
export interface Hashed {
  readonly count: number;
  readonly a: Int32Array;
  readonly b: Int32Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Words that are single characters of scripts without spaces. */
  readonly unspaced: number;
}

/**
 * Whether a word ends between letters or digits of these classes: at each letter of a script without spaces.
 * `unit` is the second one's code unit.
 */
export const parts = (before: number, after: number, unit: number): boolean => {
  if (((before | after) & UNSPACED) === 0 || isTrailing(unit)) return false;
  // A mark belongs to the letter that it stands on.
  return (after & (LETTER | DIGIT)) !== 0;
};

/** Lower case with the same length: the few characters that would grow stay as they are. */
const lowered = (text: string): string => {
  const lower = text.toLowerCase();
  if (lower.length === text.length) return lower;
  return text.replace(/\p{Lu}/gu, (c) => (c.toLowerCase().length === c.length ? c.toLowerCase() : c));
};

const grown = (old: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> => {
  const next = new Int32Array(old.length * 2);
  next.set(old);
  return next;
};

const mix = (h: number): number => {
  let x = h;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
};

/**
 * The words of a text in lower case as hashes with their places; of scripts without spaces, each character.
 */
export const hashedWords = (text: string): Hashed => {
  const lower = lowered(text);
  const room = (text.length >> 2) + 16;
  let columns = Array.from({ length: 4 }, () => new Int32Array(room));
  let [count, unspaced] = [0, 0];
  for (let i = 0; i < lower.length; ) {
    let bits = quickClass(lower, i);
    if ((bits & (ALPHA | DIGIT)) === 0) {
      i++;
      continue;
    }
    const start = i;
    if ((bits & UNSPACED) !== 0) unspaced++;
    let a = 0x811c9dc5;
    let b = 0x2f0b4ad5;
    for (;;) {
      const unit = lower.charCodeAt(i);
      a = Math.imul(a ^ unit, 0x01000193);
      b = Math.imul(b + unit, 0x5bd1e995) ^ (b >>> 15);
      if (++i >= lower.length) break;
      const next = quickClass(lower, i);
      if ((next & (ALPHA | DIGIT)) === 0 || parts(bits, next, lower.charCodeAt(i))) break;
      bits = next;
    }
    if (count === columns[0]!.length) columns = columns.map(grown);
    columns[0]![count] = mix(a);
    columns[1]![count] = mix(b);
    columns[2]![count] = start;
    columns[3]![count++] = i;
  }
  const [a, b, starts, ends] = columns;
  return { count, unspaced, a: a!, b: b!, starts: starts!, ends: ends! };
};

const BASE = 0x2c1b3c6d;

const power = (n: number): number => {
  let result = 1;
  for (let i = 0; i < n; i++) result = Math.imul(result, BASE);
  return result;
};

/** Calls `visit` with the hash of each n words in a row. */
export const eachGram = (
  words: Int32Array,
  count: number,
  n: number,
  visit: (hash: number, at: number) => void,
): void => {
  const oldest = power(n);
  let hash = 0;
  for (let i = 0; i < count; i++) {
    hash = (Math.imul(hash, BASE) + words[i]!) | 0;
    if (i >= n) hash = (hash - Math.imul(oldest, words[i - n]!)) | 0;
    if (i >= n - 1) visit(mix(hash), i - n + 1);
  }
};

/** Words of the records in a row, and the open-addressed table of the places of their n-grams. */
export class GramTable {
  a = new Int32Array(1024);
  b = new Int32Array(1024);
  words = 0;
  readonly ids: string[] = [];
  /** n-grams that each record was the first to have. */
  readonly owned: number[] = [];
  /** By slot: place of the first word + 1, the record and the length. */
  places = new Int32Array(4096);
  records = new Int32Array(4096);
  hashes = new Int32Array(4096);
  sizes = new Uint16Array(4096);
  grams = 0;

  append(words: Hashed): number {
    while (this.words + words.count > this.a.length) {
      this.a = grown(this.a);
      this.b = grown(this.b);
    }
    this.a.set(words.a.subarray(0, words.count), this.words);
    this.b.set(words.b.subarray(0, words.count), this.words);
    this.words += words.count;
    return this.words - words.count;
  }

  /** Slot of the n-gram at `at` of `words`, or the free one where it belongs. */
  slot(hash: number, words: { a: Int32Array; b: Int32Array }, at: number, n: number): number {
    const mask = this.places.length - 1;
    let slot = hash & mask;
    for (; this.places[slot] !== 0; slot = (slot + 1) & mask) {
      if (
        this.hashes[slot] === hash &&
        this.sizes[slot] === n &&
        this.same(this.places[slot]! - 1, words, at, n)
      )
        break;
    }
    return slot;
  }

  same(place: number, words: { a: Int32Array; b: Int32Array }, at: number, n: number): boolean {
    for (let i = 0; i < n; i++) {
      if (this.a[place + i] !== words.a[at + i] || this.b[place + i] !== words.b[at + i]) return false;
    }
    return true;
  }

  add(hash: number, place: number, n: number, record: number): void {
    const slot = this.slot(hash, this, place, n);
    if (this.places[slot] !== 0) return;
    this.set(slot, hash, place, n, record);
    this.owned[record]!++;
    if (++this.grams * 2 > this.places.length) this.grow();
  }

  set(slot: number, hash: number, place: number, n: number, record: number): void {
    this.places[slot] = place + 1;
    this.records[slot] = record;
    this.hashes[slot] = hash;
    this.sizes[slot] = n;
  }

  grow(): void {
    const { places, records, hashes, sizes } = this;
    this.places = new Int32Array(places.length * 2);
    this.records = new Int32Array(places.length * 2);
    this.hashes = new Int32Array(places.length * 2);
    this.sizes = new Uint16Array(places.length * 2);
    const mask = this.places.length - 1;
    for (let old = 0; old < places.length; old++) {
      if (places[old] === 0) continue;
      let slot = hashes[old]! & mask;
      while (this.places[slot] !== 0) slot = (slot + 1) & mask;
      this.set(slot, hashes[old]!, places[old]! - 1, sizes[old]!, records[old]!);
    }
  }
}
