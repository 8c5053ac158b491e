/**
 * ggml's blocks of 32 numbers: a float16 scale, perhaps a float16 offset, and an integer for each number.
 * Layouts and arithmetic are those of ggml's reference
 * (https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c), which computes in float32. Every product
 * here is exact in float64 and a sum of two float32 numbers rounds once, so that the results are its own.
 */
import { float16Number } from "../../util/float16.ts";

/** A type that is read. */
export interface GgmlForm {
  /** Number of the type in a file. */
  readonly id: number;
  /** Numbers in one block: the rows' length is a multiple of it. */
  readonly block: number;
  readonly blockBytes: number;
  /** Writes the numbers of whole blocks to `out`, an array of their own unless given, and returns it. */
  unpack(bytes: Uint8Array, out?: Float32Array): Float32Array;
}

/** A type whose blocks stand one after the other. */
export interface BlockLayout {
  readonly id: number;
  /** Numbers in a block. */
  readonly block: number;
  readonly blockBytes: number;
  /** Writes the numbers of the block at `bytes[at]` to `out` from `to` on. */
  unpackBlock(bytes: Uint8Array, at: number, out: Float32Array, to: number): void;
}

/** The float16 number at a place. */
export const halfAt = (bytes: Uint8Array, at: number): number =>
  float16Number(bytes[at]! | (bytes[at + 1]! << 8));

/** A signed byte. */
export const signed = (byte: number): number => (byte << 24) >> 24;

/** The form of a type that is read. */
export const blocks = ({ id, block, blockBytes, unpackBlock }: BlockLayout): GgmlForm => ({
  id,
  block,
  blockBytes,
  unpack: (bytes, out = new Float32Array((bytes.length / blockBytes) * block)) => {
    for (let at = 0, to = 0; at < bytes.length; at += blockBytes, to += block) {
      unpackBlock(bytes, at, out, to);
    }
    return out;
  },
});

const BLOCK = 32;
const HALF = BLOCK / 2;

/** x = d q */
export const q8Block: BlockLayout = {
  id: 8,
  block: BLOCK,
  blockBytes: 2 + BLOCK,
  unpackBlock: (bytes, at, out, to) => {
    const d = halfAt(bytes, at);
    for (let i = 0; i < BLOCK; i++) out[to + i] = d * signed(bytes[at + 2 + i]!);
  },
};

/** The four bits of each number: the first half of a block in the low ones, the second in the high ones. */
const nibbles = (bytes: Uint8Array, at: number, put: (i: number, nibble: number) => void): void => {
  for (let i = 0; i < HALF; i++) {
    const byte = bytes[at + i]!;
    put(i, byte & 15);
    put(i + HALF, byte >> 4);
  }
};

/** Fifth bit of number i: bit i of four bytes. */
const fifthBit = (bytes: Uint8Array, at: number, i: number): number =>
  ((bytes[at + (i >> 3)]! >> (i & 7)) & 1) << 4;

/**
 * Blocks with even steps: x = d q + m where they have an offset m, else d (q - half the steps). Scale,
 * offset, fifth bits and nibbles stand in this order.
 */
const evenBlock = (id: number, { offset = false, fifth = false }): BlockLayout => {
  const highs = offset ? 4 : 2;
  const lows = highs + (fifth ? 4 : 0);
  const middle = fifth ? 16 : 8;
  return {
    id,
    block: BLOCK,
    blockBytes: lows + HALF,
    unpackBlock: (bytes, at, out, to) => {
      const d = halfAt(bytes, at);
      const m = offset ? halfAt(bytes, at + 2) : 0;
      nibbles(bytes, at + lows, (i, low) => {
        const q = fifth ? low | fifthBit(bytes, at + highs, i) : low;
        out[to + i] = offset ? d * q + m : d * (q - middle);
      });
    },
  };
};

/** x = d (q - 8), x = d q + m; the same with a fifth bit and d (q - 16). */
export const evenBlocks = {
  q4_0: evenBlock(2, {}),
  q4_1: evenBlock(3, { offset: true }),
  q5_0: evenBlock(6, { fifth: true }),
  q5_1: evenBlock(7, { offset: true, fifth: true }),
} as const;

/** The sixteen levels of the types with unequal steps. */
export const LEVELS = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113] as const;

/** x = d level(q) */
const iq4Block: BlockLayout = {
  id: 20,
  block: BLOCK,
  blockBytes: 2 + HALF,
  unpackBlock: (bytes, at, out, to) => {
    const d = halfAt(bytes, at);
    nibbles(bytes, at + 2, (i, q) => {
      out[to + i] = d * LEVELS[q]!;
    });
  },
};

/** The types of blocks of 32 that are read and not written. */
export const blockTypes = { iq4_nl: blocks(iq4Block) } as const;
