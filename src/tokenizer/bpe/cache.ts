/**
 * Ids of words that were encoded before, by their bytes. All lies in typed arrays of a fixed size: what comes
 * when they are full empties them, so memory has an end, whatever the text.
 */

/** Longest word that is remembered, bytes. */
export const CACHE_BYTES = 64;

/** A slot: hash, place of the bytes, their number and that of the ids, place of the ids (or the only id). */
const FIELDS = 4;

/** Ids of words, found by their bytes. */
export interface WordCache {
  /** Hash of the bytes `from` to `to`. */
  hash(bytes: Uint8Array, from: number, to: number): number;
  /** The slot of a word, or of where it would be. */
  find(bytes: Uint8Array, from: number, to: number, hash: number): number;
  /** How many ids the slot has; 0 where it is empty. */
  count(slot: number): number;
  /** One of the slot's ids. */
  id(slot: number, k: number): number;
  /** Remembers the first `count` of `ids` for a word that is not there. */
  put(bytes: Uint8Array, from: number, to: number, hash: number, ids: Int32Array, count: number): void;
}

const hash = (bytes: Uint8Array, from: number, to: number): number => {
  let h = to - from;
  for (let i = from; i < to; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  h ^= h >>> 15;
  return Math.imul(h, 0x2c1b3c6d) | 0;
};

/** An empty cache of at most `words` words (a power of two). */
export const wordCache = (words: number): WordCache => {
  const mask = 2 * words - 1;
  const slots = new Int32Array(2 * words * FIELDS);
  const text = new Uint8Array(words * 16);
  const many = new Int32Array(words * 8);
  let [held, textEnd, manyEnd] = [0, 0, 0];
  const find = (bytes: Uint8Array, from: number, to: number, h: number): number => {
    const length = to - from;
    for (let place = (h >>> 8) & mask; ; place = (place + 1) & mask) {
      const slot = place * FIELDS;
      const sizes = slots[slot + 2]!;
      if (sizes === 0) return slot;
      if (slots[slot] !== h || sizes >>> 16 !== length) continue;
      const start = slots[slot + 1]! - from;
      let i = from;
      while (i < to && text[start + i] === bytes[i]) i++;
      if (i === to) return slot;
    }
  };
  return {
    hash,
    find,
    count: (slot) => slots[slot + 2]! & 0xffff,
    id: (slot, k) => ((slots[slot + 2]! & 0xffff) === 1 ? slots[slot + 3]! : many[slots[slot + 3]! + k]!),
    put(bytes, from, to, h, ids, count) {
      if (held === words || textEnd + to - from > text.length || manyEnd + count > many.length) {
        slots.fill(0);
        [held, textEnd, manyEnd] = [0, 0, 0];
      }
      const slot = find(bytes, from, to, h);
      slots[slot] = h;
      slots[slot + 1] = textEnd;
      slots[slot + 2] = ((to - from) << 16) | count;
      slots[slot + 3] = count === 1 ? ids[0]! : manyEnd;
      for (let i = from; i < to; i++) text[textEnd++] = bytes[i]!;
      if (count > 1) for (let k = 0; k < count; k++) many[manyEnd++] = ids[k]!;
      held++;
    },
  };
};
