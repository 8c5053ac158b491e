/**
 * Writes ggml's blocks of 256 numbers, whose groups have small integers as scales under one float16. Each
 * group's grid is fitted (fits.ts), then the unit that all their scales are multiples of, then each group
 * takes the multiples near its own grid that its numbers are nearest with. That is how llama.cpp's k-quants
 * go about it (https://github.com/ggml-org/llama.cpp/pull/1684); multiples are searched for beyond that.
 */
import { fitRange, fitScale, fitUnit, type Numbers } from "./fits.ts";
import { type BlockLayout, blocks } from "./ggmlBlocks.ts";
import { superBlockLayouts } from "./ggmlSuperBlocks.ts";
import { type GgmlWrittenForm, meanSquare, numbers, putHalf, weigh } from "./writing.ts";

const BLOCK = 256;

/** Where a block is written. */
interface To {
  readonly bytes: Uint8Array;
  readonly at: number;
}

/** x = scale q - least, q from `low` to `high`. */
interface Grid {
  readonly scale: number;
  readonly least: number;
  readonly low: number;
  readonly high: number;
}

const codeOf = (x: number, { scale, least, low, high }: Grid): number => {
  if (scale === 0) return 0;
  const q = Math.round((x + least) / scale);
  return q < low ? low : Math.min(q, high);
};

const errorOf = ({ values, weights }: Numbers, grid: Grid): number => {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    const x = values[i]!;
    const error = grid.scale * codeOf(x, grid) - grid.least - x;
    sum += weights[i]! * error * error;
  }
  return sum;
};

/** The whole number nearest to x within bounds; 0 where there is none. */
const wholeIn = (x: number, low: number, high: number): number =>
  Number.isFinite(x) ? Math.min(high, Math.max(low, Math.round(x))) : 0;

/** Multiples that make a group's grid. */
interface Multiples {
  readonly s: number;
  readonly m: number;
}

/** Of some multiples and their neighbours those whose grid a group's numbers are nearest with. */
const nearestOf = (
  group: Numbers,
  { s, m }: Multiples,
  gridOf: (s: number, m: number) => Grid | undefined,
): Multiples & { readonly grid: Grid } => {
  let best = { s, m, grid: gridOf(s, m)! };
  let least = errorOf(group, best.grid);
  for (let ds = -1; ds <= 1; ds++) {
    for (let dm = -1; dm <= 1; dm++) {
      const grid = ds === 0 && dm === 0 ? undefined : gridOf(s + ds, m + dm);
      if (grid === undefined) continue;
      const error = errorOf(group, grid);
      if (!(error < least)) continue;
      least = error;
      best = { s: s + ds, m: m + dm, grid };
    }
  }
  return best;
};

interface SuperBlock {
  readonly layout: BlockLayout;
  /** Numbers of a group. */
  readonly size: 16 | 32;
  pack(groups: readonly Numbers[], to: To): void;
}

/** Sums of groups' weights. */
const totalsOf = (groups: readonly Numbers[]): Float64Array =>
  Float64Array.from(groups, ({ weights }) => weights.reduce((a, b) => a + b, 0));

const form = ({ layout, size, pack }: SuperBlock, name: string): GgmlWrittenForm => ({
  ...blocks(layout),
  pack: (values, importance) => {
    const bytes = new Uint8Array((values.length / BLOCK) * layout.blockBytes);
    const room = Array.from({ length: BLOCK / size }, () => numbers(size));
    for (let start = 0, at = 0; start < values.length; start += BLOCK, at += layout.blockBytes) {
      const square = 2 * meanSquare(values, start, BLOCK, name);
      if (square === 0) {
        empty(layout, { bytes, at });
        continue;
      }
      const groups = room.map((own, i) => weigh({ values, from: start + i * size, importance, square }, own));
      pack(groups, { bytes, at });
    }
    return bytes;
  },
});

/** A block of zeros: its float16 scales are 0 as they are. */
const empty = ({ blockBytes }: BlockLayout, { bytes, at }: To): void => {
  bytes.fill(0, at, at + blockBytes);
};

/** Scale and offset of a group of q4_k and q5_k: six bits each, of the last four groups in two places. */
const putPair = ({ bytes, at }: To, group: number, scale: number, least: number): void => {
  if (group < 4) {
    bytes[at + group]! |= scale;
    bytes[at + group + 4]! |= least;
    return;
  }
  bytes[at + group + 4]! |= (scale & 15) | ((least & 15) << 4);
  bytes[at + group - 4]! |= (scale >> 4) << 6;
  bytes[at + group]! |= (least >> 4) << 6;
};

/** Most that a group's six bits say. */
const MOST = 63;

/** Groups of 32 with scales and offsets, 4 bits or, with one elsewhere, 5. */
const ranged = (name: "q4_k" | "q5_k", high: number): SuperBlock => ({
  layout: superBlockLayouts[name],
  size: 32,
  pack: (groups, { bytes, at }) => {
    const fits = groups.map((group) => fitRange(group, high));
    const weights = totalsOf(groups);
    const unit = (of: readonly number[]) => fitUnit({ values: Float64Array.from(of), weights }, MOST);
    const d = putHalf(bytes, at, unit(fits.map(({ scale }) => scale)), name);
    const dLeast = putHalf(bytes, at + 2, unit(fits.map(({ least }) => least)), name);
    const lows = at + (high > 15 ? 48 : 16);
    for (const [i, group] of groups.entries()) {
      const { scale, least } = fits[i]!;
      const first = { s: wholeIn(scale / d, 0, MOST), m: wholeIn(least / dLeast, 0, MOST) };
      const gridOf = (s: number, m: number): Grid | undefined =>
        s < 0 || s > MOST || m < 0 || m > MOST
          ? undefined
          : { scale: d * s, least: dLeast * m, low: 0, high };
      const { s, m, grid } = nearestOf(group, first, gridOf);
      putPair({ bytes, at: at + 4 }, i, s, m);
      for (let j = 0; j < 32; j++) {
        const q = codeOf(group.values[j]!, grid);
        bytes[lows + (i >> 1) * 32 + j]! |= (q & 15) << ((i & 1) * 4);
        if (q > 15) bytes[at + 16 + j]! |= 1 << i;
      }
    }
  },
});

/** What tells the types of groups of 16 around 0 apart. */
interface Signed {
  readonly name: "q3_k" | "q6_k";
  /** Codes are from -half to half - 1, scales from -halfScale to halfScale - 1. */
  readonly half: number;
  readonly halfScale: number;
  /** Where the float16 scale stands in a block. */
  readonly d: number;
  putScale(to: To, group: number, scale: number): void;
  /** `q` is from 0 on. */
  putCode(to: To, group: number, i: number, q: number): void;
}

/** Groups of 16 with scales alone. */
const centred = ({ name, half, halfScale, d: place, putScale, putCode }: Signed): SuperBlock => ({
  layout: superBlockLayouts[name],
  size: 16,
  pack: (groups, { bytes, at }) => {
    const scales = Float64Array.from(groups, (group) => fitScale(group, half));
    const unit = fitScale({ values: scales, weights: totalsOf(groups) }, halfScale);
    const d = putHalf(bytes, at + place, unit, name);
    for (const [i, group] of groups.entries()) {
      const [low, high] = [-halfScale, halfScale - 1];
      const gridOf = (s: number, m: number): Grid | undefined =>
        s < low || s > high || m !== 0 ? undefined : { scale: d * s, least: 0, low: -half, high: half - 1 };
      const first = { s: wholeIn(scales[i]! / d, low, high), m: 0 };
      const { s, grid } = nearestOf(group, first, gridOf);
      putScale({ bytes, at }, i, s);
      for (let j = 0; j < 16; j++) putCode({ bytes, at }, i, j, codeOf(group.values[j]!, grid) + half);
    }
  },
});

const q3: Signed = {
  ...{ name: "q3_k", half: 4, halfScale: 32, d: 108 },
  putScale: ({ bytes, at }, group, scale) => {
    const stored = scale + 32;
    bytes[at + 96 + (group & 7)]! |= (stored & 15) << (group < 8 ? 0 : 4);
    bytes[at + 104 + (group & 3)]! |= (stored >> 4) << (2 * (group >> 2));
  },
  putCode: ({ bytes, at }, group, i, q) => {
    const within = (group & 1) * 16 + i;
    bytes[at + 32 + (group >> 3) * 32 + within]! |= (q & 3) << (group & 6);
    if (q > 3) bytes[at + within]! |= 1 << (group >> 1);
  },
};

const q6: Signed = {
  ...{ name: "q6_k", half: 32, halfScale: 128, d: 208 },
  putScale: ({ bytes, at }, group, scale) => {
    bytes[at + 192 + group] = scale;
  },
  putCode: ({ bytes, at }, group, i, q) => {
    const [half, part, within] = [group >> 3, (group >> 1) & 3, (group & 1) * 16 + i];
    bytes[at + half * 64 + (part & 1) * 32 + within]! |= (q & 15) << (part < 2 ? 0 : 4);
    bytes[at + 128 + half * 32 + within]! |= (q >> 4) << (2 * part);
  },
};

/** The types of blocks of 256 that are written. */
export const packedSuperBlocks = {
  q3_k: form(centred(q3), "q3_k"),
  q4_k: form(ranged("q4_k", 15), "q4_k"),
  q5_k: form(ranged("q5_k", 31), "q5_k"),
  q6_k: form(centred(q6), "q6_k"),
} as const;
