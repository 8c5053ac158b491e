/**
 * ggml's blocks of 256 numbers ("K-quants": https://github.com/ggml-org/llama.cpp/pull/1684): groups of 16 or
 * 32 whose scales are small integers under one float16. Layouts are those of ggml's reference
 * (https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c); the results are its own, see ggmlBlocks.ts.
 */
import { type BlockLayout, blocks, halfAt, LEVELS, signed } from "./ggmlBlocks.ts";

const BLOCK = 256;

/** Groups of 16, 2 bits: x = d s q - dmin m, where a byte holds s and m. */
const q2: BlockLayout = {
  id: 10,
  block: BLOCK,
  blockBytes: 16 + 64 + 4,
  unpackBlock: (bytes, at, out, to) => {
    const d = halfAt(bytes, at + 80);
    const dmin = halfAt(bytes, at + 82);
    for (let group = 0; group < 16; group++) {
      const scale = d * (bytes[at + group]! & 15);
      const least = dmin * (bytes[at + group]! >> 4);
      // Each half of a block has 32 bytes, whose four pairs of bits are of groups two apart.
      const from = at + 16 + (group >> 3) * 32 + (group & 1) * 16;
      const shift = group & 6;
      for (let i = 0; i < 16; i++) {
        out[to + group * 16 + i] = scale * ((bytes[from + i]! >> shift) & 3) - least;
      }
    }
  },
};

/** Scale of a group of 16 of q3_K: four low bits, and two high ones in the last four bytes. */
const scale6 = (bytes: Uint8Array, at: number, group: number): number => {
  const low = (bytes[at + (group & 7)]! >> (group < 8 ? 0 : 4)) & 15;
  const high = (bytes[at + 8 + (group & 3)]! >> (2 * (group >> 2))) & 3;
  return (low | (high << 4)) - 32;
};

/** Groups of 16, 2 bits and a third elsewhere: x = d s (q - 4). */
const q3: BlockLayout = {
  id: 11,
  block: BLOCK,
  blockBytes: 32 + 64 + 12 + 2,
  unpackBlock: (bytes, at, out, to) => {
    const d = halfAt(bytes, at + 108);
    for (let group = 0; group < 16; group++) {
      const scale = d * scale6(bytes, at + 96, group);
      const within = (group & 1) * 16;
      const from = at + 32 + (group >> 3) * 32 + within;
      const shift = group & 6;
      const bit = group >> 1;
      for (let i = 0; i < 16; i++) {
        const high = ((bytes[at + within + i]! >> bit) & 1) << 2;
        out[to + group * 16 + i] = scale * ((((bytes[from + i]! >> shift) & 3) | high) - 4);
      }
    }
  },
};

/** Scale of a group of 32 of q4_K and q5_K: six bits, those of the last four groups in two places. */
const groupScale = (bytes: Uint8Array, at: number, group: number): number =>
  group < 4 ? bytes[at + group]! & 63 : (bytes[at + group + 4]! & 15) | ((bytes[at + group - 4]! >> 6) << 4);

/** As `groupScale`, what is taken off. */
const groupLeast = (bytes: Uint8Array, at: number, group: number): number =>
  group < 4 ? bytes[at + group + 4]! & 63 : (bytes[at + group + 4]! >> 4) | ((bytes[at + group]! >> 6) << 4);

/** Groups of 32, 4 bits or, with one elsewhere, 5: x = d s q - dmin m. */
const groupsOf32 = (id: number, { fifth = false }): BlockLayout => {
  const lows = fifth ? 48 : 16;
  return {
    id,
    block: BLOCK,
    blockBytes: lows + 128,
    unpackBlock: (bytes, at, out, to) => {
      const d = halfAt(bytes, at);
      const dmin = halfAt(bytes, at + 2);
      for (let group = 0; group < 8; group++) {
        const scale = d * groupScale(bytes, at + 4, group);
        const least = dmin * groupLeast(bytes, at + 4, group);
        const from = at + lows + (group >> 1) * 32;
        const shift = (group & 1) * 4;
        for (let i = 0; i < 32; i++) {
          const high = fifth ? ((bytes[at + 16 + i]! >> group) & 1) << 4 : 0;
          out[to + group * 32 + i] = scale * (((bytes[from + i]! >> shift) & 15) | high) - least;
        }
      }
    },
  };
};

/** Groups of 16, 4 bits and two elsewhere: x = d s (q - 32), with signed s. */
const q6: BlockLayout = {
  id: 14,
  block: BLOCK,
  blockBytes: 128 + 64 + 16 + 2,
  unpackBlock: (bytes, at, out, to) => {
    const d = halfAt(bytes, at + 208);
    for (let group = 0; group < 16; group++) {
      const scale = d * signed(bytes[at + 192 + group]!);
      const [half, part, within] = [group >> 3, (group >> 1) & 3, (group & 1) * 16];
      const low = at + half * 64 + (part & 1) * 32 + within;
      const high = at + 128 + half * 32 + within;
      for (let i = 0; i < 16; i++) {
        const q =
          ((bytes[low + i]! >> (part < 2 ? 0 : 4)) & 15) | (((bytes[high + i]! >> (2 * part)) & 3) << 4);
        out[to + group * 16 + i] = scale * (q - 32);
      }
    }
  },
};

/** x = d q, with a float32 d; sums of groups follow, which are of no use here. */
const q8: BlockLayout = {
  id: 15,
  block: BLOCK,
  blockBytes: 4 + BLOCK + 32,
  unpackBlock: (bytes, at, out, to) => {
    const d = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getFloat32(0, true);
    for (let i = 0; i < BLOCK; i++) out[to + i] = d * signed(bytes[at + 4 + i]!);
  },
};

/** Groups of 32, 4 bits of unequal steps: x = d (s - 32) level(q). */
const iq4: BlockLayout = {
  id: 23,
  block: BLOCK,
  blockBytes: 2 + 2 + 4 + 128,
  unpackBlock: (bytes, at, out, to) => {
    const d = halfAt(bytes, at);
    const highs = bytes[at + 2]! | (bytes[at + 3]! << 8);
    for (let group = 0; group < 8; group++) {
      const low = (bytes[at + 4 + (group >> 1)]! >> (4 * (group & 1))) & 15;
      const scale = d * ((low | (((highs >> (2 * group)) & 3) << 4)) - 32);
      const from = at + 8 + group * 16;
      for (let i = 0; i < 16; i++) {
        out[to + group * 32 + i] = scale * LEVELS[bytes[from + i]! & 15]!;
        out[to + group * 32 + 16 + i] = scale * LEVELS[bytes[from + i]! >> 4]!;
      }
    }
  },
};

/** Layouts of the types of blocks of 256 that are written too. */
export const superBlockLayouts = {
  q3_k: q3,
  q4_k: groupsOf32(12, {}),
  q5_k: groupsOf32(13, { fifth: true }),
  q6_k: q6,
} as const;

/** The types of blocks of 256 that are read and not written. */
export const superBlockTypes = { q2_k: blocks(q2), q8_k: blocks(q8), iq4_xs: blocks(iq4) } as const;
