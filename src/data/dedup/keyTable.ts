/** A growing open-addressing table in typed arrays, from keys of a few well-mixed 32-bit words to numbers. */
import { ConfigError } from "../../util/errors.ts";

/** Share of the slots that may be taken before the table doubles. */
const FULL = 0.7;
/** Greatest value: a slot holds the value plus one, and 0 where it is free. */
const GREATEST = 0xfffffffe;

/** Numbers by key. */
export interface KeyTable {
  /** Keys held. */
  readonly size: number;
  /** Bytes of its arrays. */
  readonly bytes: number;
  /**
   * Remembers `value` (0 to 2^32 - 2) for the key at `at` of `keys`, if it is new; the value that it had been
   * given first, or -1 where it is new.
   */
  put(keys: Uint32Array, at: number, value: number): number;
  /** As `put`, but the key's value becomes `value`. */
  swap(keys: Uint32Array, at: number, value: number): number;
}

/** Where a key of `width` words stands in `slots` [a power of two * (width + 1)], or would if it is new. */
const placeOf = (slots: Uint32Array, width: number, keys: Uint32Array, at: number): number => {
  const stride = width + 1;
  const last = slots.length / stride - 1;
  for (let slot = keys[at]! & last; ; slot = (slot + 1) & last) {
    const place = slot * stride;
    if (slots[place + width] === 0) return place;
    let same = 0;
    while (same < width && slots[place + same] === keys[at + same]) same++;
    if (same === width) return place;
  }
};

/** A table for keys of `width` words, with room for `expected` of them before it first grows. */
export const keyTable = (width: number, expected = 0): KeyTable => {
  if (!Number.isInteger(width) || width < 1)
    throw new ConfigError(`${width} is no number of words`, { field: "width" });
  const stride = width + 1;
  let capacity = 16;
  while (capacity * FULL < expected) capacity *= 2;
  let slots = new Uint32Array(capacity * stride);
  let size = 0;

  const grow = (): void => {
    const old = slots;
    capacity *= 2;
    slots = new Uint32Array(capacity * stride);
    for (let from = 0; from < old.length; from += stride) {
      if (old[from + width] === 0) continue;
      const place = placeOf(slots, width, old, from);
      for (let i = 0; i < stride; i++) slots[place + i] = old[from + i]!;
    }
  };

  const visit = (keys: Uint32Array, at: number, value: number, replace: boolean): number => {
    if (!(value >= 0 && value <= GREATEST))
      throw new ConfigError(`${value} is no number that a table holds`, { field: "value" });
    const place = placeOf(slots, width, keys, at);
    const before = slots[place + width]! - 1;
    if (before >= 0) {
      if (replace) slots[place + width] = value + 1;
      return before;
    }
    for (let i = 0; i < width; i++) slots[place + i] = keys[at + i]!;
    slots[place + width] = value + 1;
    if (++size > capacity * FULL) grow();
    return -1;
  };

  return {
    get size() {
      return size;
    },
    get bytes() {
      return slots.byteLength;
    },
    put: (keys, at, value) => visit(keys, at, value, false),
    swap: (keys, at, value) => visit(keys, at, value, true),
  };
};

/**
 * Exact duplicates: `add(hash, document)` with 128 bits of hash as 4 words (`textHasher`) is the document
 * that had the same hash first, or -1. About 40 bytes a document.
 */
export const exactIndex = (expected = 0) => {
  const table = keyTable(4, expected);
  return {
    add: (hash: Uint32Array, document: number): number => table.put(hash, 0, document),
    get bytes() {
      return table.bytes;
    },
  };
};
