/**
 * Repetition within one text (Gopher, Rae et al. 2021, https://arxiv.org/abs/2112.11446, table A1). Words and
 * n-grams get exact numbers: an n-gram is the pair of the (n-1)-gram at its head and the word at its end. One
 * whose head or tail stands only once stands only once itself, so that ordinary text is done by n = 5.
 */
import { isTrailing, LETTER, quickClass, SYMBOL } from "../text/characters.ts";
import type { Words } from "../text/words.ts";

/** Has a character that is no punctuation. */
export const PROPER = 1;
/** Has a letter. */
export const ALPHABETIC = 2;

/** Numbers of words: equal words have equal ids, which is where they stand first. */
export interface WordIds {
  readonly count: number;
  readonly ids: Int32Array;
  /** Code points of each. */
  readonly chars: Int32Array;
  /** PROPER and ALPHABETIC of each. */
  readonly kinds: Uint8Array;
}

const kindOf = (text: string, start: number, end: number): number => {
  let all = SYMBOL;
  let any = 0;
  for (let i = start; i < end; i++) {
    const bits = quickClass(text, i);
    all &= bits;
    any |= bits;
  }
  return (all === 0 ? PROPER : 0) | ((any & LETTER) === 0 ? 0 : ALPHABETIC);
};

const tableOf = (entries: number): Int32Array => {
  let size = 16;
  while (size < entries * 2) size *= 2;
  return new Int32Array(size).fill(-1);
};

const mix = (h: number): number => {
  const x = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return x ^ (x >>> 13);
};

const sameText = (text: string, a: number, b: number, length: number): boolean => {
  for (let i = 0; i < length; i++) if (text.charCodeAt(a + i) !== text.charCodeAt(b + i)) return false;
  return true;
};

/** Id of each word: the place where it stands first. */
export const wordIds = (text: string, { count, starts, ends }: Words): WordIds => {
  const ids = new Int32Array(count);
  const chars = new Int32Array(count);
  const kinds = new Uint8Array(count);
  const table = tableOf(count);
  const mask = table.length - 1;
  for (let w = 0; w < count; w++) {
    const start = starts[w]!;
    const length = ends[w]! - start;
    let hash = length;
    let trailing = 0;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(start + i);
      if (isTrailing(unit)) trailing++;
      hash = Math.imul(hash ^ unit, 0x01000193);
    }
    chars[w] = length - trailing;
    let slot = mix(hash) & mask;
    for (let other = table[slot]!; other >= 0; other = table[slot]!) {
      if (ends[other]! - starts[other]! === length && sameText(text, starts[other]!, start, length)) break;
      slot = (slot + 1) & mask;
    }
    if (table[slot]! < 0) {
      table[slot] = w;
      kinds[w] = kindOf(text, start, start + length);
    }
    ids[w] = table[slot]!;
    kinds[w] = kinds[ids[w]!]!;
  }
  return { count, ids, chars, kinds };
};

/** The n-grams of one length that stand more than once, by place. */
interface Grams {
  /** Places, in order. */
  readonly at: Int32Array;
  /** Entry of the first that equals the one of an entry. */
  readonly first: Int32Array;
  /** How often the one that stands first at an entry stands in all. */
  readonly times: Int32Array;
}

/** The candidates that stand more than once: `first` is by candidate. */
const repeatedOf = (at: Int32Array, first: Int32Array, count: number): Grams => {
  const times = new Int32Array(count);
  for (let k = 0; k < count; k++) times[first[k]!]!++;
  // What is kept moves to the front; `entry` says where to.
  const entry = new Int32Array(count);
  const keptTimes = new Int32Array(count);
  let kept = 0;
  for (let k = 0; k < count; k++) {
    const own = first[k]!;
    const all = times[own]!;
    if (all < 2) continue;
    entry[k] = kept;
    at[kept] = at[k]!;
    first[kept] = entry[own]!;
    keptTimes[kept++] = all;
  }
  return { at: at.subarray(0, kept), first: first.subarray(0, kept), times: keptTimes };
};

const wordGrams = (ids: Int32Array): Grams =>
  repeatedOf(
    ids.map((_, i) => i),
    ids.slice(),
    ids.length,
  );

/** The repeated n-grams of n words: each begins with a repeated one of n - 1, and ends with one. */
const longer = (heads: Grams, ids: Int32Array, n: number): Grams => {
  const { at: places, first: headOf } = heads;
  const at = new Int32Array(places.length);
  const head = new Int32Array(places.length);
  const first = new Int32Array(places.length);
  let count = 0;
  for (let k = 0; k + 1 < places.length; k++) {
    if (places[k + 1] !== places[k]! + 1) continue;
    at[count] = places[k]!;
    head[count++] = headOf[k]!;
  }
  const table = tableOf(count);
  const mask = table.length - 1;
  for (let k = 0; k < count; k++) {
    const end = ids[at[k]! + n - 1]!;
    let slot = mix(Math.imul(head[k]!, 0x9e3779b1) ^ end) & mask;
    for (let other = table[slot]!; other >= 0; other = table[slot]!) {
      if (head[other] === head[k] && ids[at[other]! + n - 1] === end) break;
      slot = (slot + 1) & mask;
    }
    if (table[slot]! < 0) table[slot] = k;
    first[k] = table[slot]!;
  }
  return repeatedOf(at, first, count);
};

/** Code points of the n-gram that stands most often, its spaces included, times how often it stands. */
const topChars = ({ at, first, times }: Grams, chars: Int32Array, n: number): number => {
  if (chars.length < n) return 0;
  let top = -1;
  for (let k = 0; k < at.length; k++) {
    if (first[k] === k && (top < 0 || times[k]! > times[top]!)) top = k;
  }
  // Where all stand once, it is the first of the text.
  const start = top < 0 ? 0 : at[top]!;
  let length = n - 1;
  for (let i = start; i < start + n; i++) length += chars[i]!;
  return top < 0 ? length : length * times[top]!;
};

/** Code points in n-grams that stood before, none counted twice. */
const duplicateChars = ({ at, first }: Grams, chars: Int32Array, n: number): number => {
  const seen = new Uint8Array(at.length);
  let total = 0;
  let next = 0;
  for (let k = 0; k < at.length; k++) {
    const place = at[k]!;
    if (place < next) continue;
    if (seen[first[k]!] === 0) {
      seen[first[k]!] = 1;
      continue;
    }
    next = place + n;
    for (let i = place; i < next; i++) total += chars[i]!;
  }
  return total;
};

/** How much of a text is repeated n-grams. */
export interface Repetition {
  /** By n = 2 to 4: code points in the most frequent n-gram, all its places together. */
  readonly top: readonly number[];
  /** By n = 5 to 10: code points in repeated n-grams. */
  readonly duplicate: readonly number[];
}

const TOP_TO = 4;
const LONGEST = 10;

/** Characters in repeated n-grams of the words of a text; entries are by n, those below the least n are 0. */
export const repetition = ({ ids, chars }: WordIds): Repetition => {
  const top = [0, 0];
  const duplicate = [0, 0, 0, 0, 0];
  let grams = wordGrams(ids);
  for (let n = 2; n <= LONGEST; n++) {
    // Where nothing repeats, nothing longer does.
    if (grams.at.length > 0) grams = longer(grams, ids, n);
    if (n <= TOP_TO) top[n] = topChars(grams, chars, n);
    else duplicate[n] = duplicateChars(grams, chars, n);
  }
  return { top, duplicate };
};
