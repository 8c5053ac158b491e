/**
 * Which 64-bit keys come more than once in a stream, in bounded memory: a Bloom filter (Bloom 1970,
 * https://doi.org/10.1145/362686.362692) lets only what it has seen before into an exact table, so that the
 * many keys that come once cost a few bits each.
 */
import { ConfigError } from "../../util/errors.ts";

/** The avalanche step of MurmurHash3. */
export const mix = (h: number): number => {
  let x = h;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
};

/** 64 bits of hash of a text's UTF-16 code units into `out[0]` and `out[1]`, both lanes mixed throughout. */
export const hash64 = (text: string, out: Uint32Array): void => {
  let a = 0x9e3779b9 ^ text.length;
  let b = 0x243f6a88;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 0xcc9e2d51);
    a = (a << 13) | (a >>> 19);
    b = Math.imul((b + c) ^ a, 0x1b873593);
    b = (b << 15) | (b >>> 17);
  }
  out[0] = mix(a ^ Math.imul(b, 0x2545f491));
  out[1] = mix(b + out[0]!);
};

/** The keys of a stream that came more than once. */
export interface RepeatedKeys {
  /** Notes a key; from the second time on it has a slot. */
  see(lo: number, hi: number): void;
  /** The slot of a key that came again, below `capacity`; -1 for others. Slots move while keys are noted. */
  slot(lo: number, hi: number): number;
  readonly capacity: number;
  /** Keys with a slot: those that came again, and the few that the filter took for such. */
  readonly size: number;
  /** Sightings of repeated keys for which there was no room. */
  readonly untracked: number;
}

const SLOT_BYTES = 8;
const LEAST_BYTES = 1 << 16;

const powerBelow = (value: number): number => 2 ** Math.floor(Math.log2(value));

/** Two probes a key: at 16 bits a key, 1.5 % of those that come once are taken for repeated ones. */
const bloom = (bits: number) => {
  const words = new Uint32Array(bits / 32);
  const mask = bits - 1;
  const set = (at: number): boolean => {
    const bit = 1 << (at & 31);
    const before = words[at >>> 5]! & bit;
    words[at >>> 5]! |= bit;
    return before !== 0;
  };
  return (lo: number, hi: number): boolean => {
    const first = set((lo & mask) >>> 0);
    return set((hi & mask) >>> 0) && first;
  };
};

/** Keys by open addressing; an empty slot is two zeros. */
const keyTable = (most: number) => {
  let keys = new Uint32Array(2 * Math.min(1024, most));
  let size = 0;
  const find = (table: Uint32Array, lo: number, hi: number): number => {
    const mask = table.length / 2 - 1;
    let at = (lo ^ Math.imul(hi, 0x9e3779b1)) & mask;
    while (table[2 * at]! !== lo || table[2 * at + 1]! !== hi) {
      if (table[2 * at] === 0 && table[2 * at + 1] === 0) return ~at;
      at = (at + 1) & mask;
    }
    return at;
  };
  const grow = (): void => {
    const larger = new Uint32Array(keys.length * 2);
    for (let i = 0; i < keys.length; i += 2) {
      if (keys[i] === 0 && keys[i + 1] === 0) continue;
      const at = ~find(larger, keys[i]!, keys[i + 1]!);
      larger[2 * at] = keys[i]!;
      larger[2 * at + 1] = keys[i + 1]!;
    }
    keys = larger;
  };
  /** Whether the key has a slot after this. */
  const add = (lo: number, hi: number): boolean => {
    let at = find(keys, lo, hi);
    if (at >= 0) return true;
    if (size >= 0.7 * (keys.length / 2)) {
      if (keys.length / 2 >= most) return false;
      grow();
      at = find(keys, lo, hi);
    }
    keys[2 * ~at] = lo;
    keys[2 * ~at + 1] = hi;
    size++;
    return true;
  };
  const slot = (lo: number, hi: number): number => Math.max(-1, find(keys, lo, hi));
  return { add, slot, capacity: () => keys.length / 2, size: () => size };
};

/**
 * A record of repeated keys that takes at most `maxBytes`, a quarter of it for the filter. Throws ConfigError
 * below 64 KiB.
 */
export const repeatedKeys = (maxBytes: number): RepeatedKeys => {
  if (!(maxBytes >= LEAST_BYTES && maxBytes <= 2 ** 31)) {
    throw new ConfigError(`must be from ${LEAST_BYTES} to ${2 ** 31} bytes, not ${maxBytes}`, {
      field: "maxBytes",
    });
  }
  const seen = bloom(powerBelow(maxBytes / 4) * 8);
  // While it grows, the table is there twice: the old half and the new whole.
  const table = keyTable(powerBelow(maxBytes / 2 / (1.5 * SLOT_BYTES)));
  let untracked = 0;
  return {
    see(lo, hi) {
      const key = lo === 0 && hi === 0 ? 1 : hi;
      if (seen(lo, key) && !table.add(lo, key)) untracked++;
    },
    slot: (lo, hi) => table.slot(lo, lo === 0 && hi === 0 ? 1 : hi),
    get capacity() {
      return table.capacity();
    },
    get size() {
      return table.size();
    },
    get untracked() {
      return untracked;
    },
  };
};

/** Names of documents by number, as UTF-8 in one block, for strings would cost several times as much. */
export const nameList = () => {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  let bytes = new Uint8Array(1024);
  let ends = new Float64Array(64);
  let size = 0;
  return {
    /** Adds a name and gives its number, from 0. */
    add(name: string): number {
      const from = size === 0 ? 0 : ends[size - 1]!;
      const encoded = encoder.encode(name);
      if (from + encoded.length > bytes.length) {
        const larger = new Uint8Array(Math.max(2 * bytes.length, from + encoded.length));
        larger.set(bytes);
        bytes = larger;
      }
      if (size === ends.length) {
        const larger = new Float64Array(2 * size);
        larger.set(ends);
        ends = larger;
      }
      bytes.set(encoded, from);
      ends[size] = from + encoded.length;
      return size++;
    },
    at: (index: number): string =>
      decoder.decode(bytes.subarray(index === 0 ? 0 : ends[index - 1]!, ends[index]!)),
  };
};

/** Names held as bytes, by index. */
export type NameList = ReturnType<typeof nameList>;
