/**
 * Writes ggml's blocks of 32 numbers. Without importance rounding is that of ggml's reference quantizers bit
 * for bit, which compute in float32 (https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c); with it
 * scales and offsets are fitted by the squared errors that importance weighs.
 */
import { fitRange, fitScale } from "./fits.ts";
import { type BlockLayout, blocks, evenBlocks, q8Block } from "./ggmlBlocks.ts";
import { type GgmlWrittenForm, meanSquare, numbers, putHalf, unfit, weigh } from "./writing.ts";

const BLOCK = 32;

/** The number of largest magnitude in a block, the first of equals. Throws ConfigError for NaN. */
const extreme = (values: Float32Array, start: number, type: string): number => {
  let most = 0;
  for (let i = start; i < start + BLOCK; i++) {
    const x = values[i]!;
    if (Number.isNaN(x)) unfit(x, type);
    if (Math.abs(x) > Math.abs(most)) most = x;
  }
  return most;
};

/** Writes a block of numbers to `bytes[at]`. */
type PackBlock = (values: Float32Array, start: number, bytes: Uint8Array, at: number) => void;

const form = (
  layout: BlockLayout,
  packBy: (importance?: ArrayLike<number>) => PackBlock,
): GgmlWrittenForm => ({
  ...blocks(layout),
  pack: (values, importance) => {
    const packBlock = packBy(importance);
    const bytes = new Uint8Array((values.length / BLOCK) * layout.blockBytes);
    for (let start = 0, at = 0; start < values.length; start += BLOCK, at += layout.blockBytes)
      packBlock(values, start, bytes, at);
    return bytes;
  },
});

/** d = max |x| / 127; q = x / d, halves away from zero. */
const q8: PackBlock = (values, start, bytes, at) => {
  const d = Math.fround(Math.abs(extreme(values, start, "q8_0")) / 127);
  putHalf(bytes, at, d, "q8_0");
  const inverse = d === 0 ? 0 : Math.fround(1 / d);
  for (let i = 0; i < BLOCK; i++) {
    const x = Math.fround(values[start + i]! * inverse);
    bytes[at + 2 + i] = x < 0 ? -Math.floor(0.5 - x) : Math.floor(0.5 + x);
  }
};

/** How numbers become codes: q = (x - offset) / d + middle, cut off at `most`. */
interface Grid {
  readonly d: number;
  readonly offset: number;
}

/** What tells the types of even steps apart. */
interface Even {
  readonly name: keyof typeof evenBlocks;
  /** Codes are from 0 to this. */
  readonly most: number;
  /** Whether a block has an offset; else its middle code is 0. */
  readonly hasOffset: boolean;
}

/** ggml's grid: from the least number to the largest, or to both sides of 0. */
const plainGrid = ({ name, most, hasOffset }: Even, values: Float32Array, start: number): Grid => {
  if (!hasOffset) return { d: Math.fround(extreme(values, start, name) / -((most + 1) / 2)), offset: 0 };
  extreme(values, start, name);
  let [low, high] = [values[start]!, values[start]!];
  for (let i = start + 1; i < start + BLOCK; i++) {
    if (values[i]! < low) low = values[i]!;
    if (values[i]! > high) high = values[i]!;
  }
  return { d: Math.fround(Math.fround(high - low) / most), offset: low };
};

const putCode = (
  bytes: Uint8Array,
  { lows, highs }: { lows: number; highs: number },
  i: number,
  q: number,
) => {
  bytes[lows + (i % 16)]! |= i < 16 ? q & 15 : (q & 15) << 4;
  if (q > 15) bytes[highs + (i >> 3)]! |= 1 << (i & 7);
};

const even = (type: Even): GgmlWrittenForm => {
  const { name, most, hasOffset } = type;
  const layout = evenBlocks[name];
  const half = (most + 1) / 2;
  const head = hasOffset ? 4 : 2;
  const room = numbers(BLOCK);
  const fitted = (values: Float32Array, from: number, importance: ArrayLike<number>): Grid => {
    const square = meanSquare(values, from, BLOCK, name);
    const own = weigh({ values, from, importance, square }, room);
    if (!hasOffset) return { d: fitScale(own, half), offset: 0 };
    const { scale, least } = fitRange(own, most);
    return { d: scale, offset: -least };
  };
  return form(layout, (importance) => (values, start, bytes, at) => {
    const grid =
      importance === undefined ? plainGrid(type, values, start) : fitted(values, start, importance);
    const d = putHalf(bytes, at, grid.d, name);
    const offset = hasOffset ? putHalf(bytes, at + 2, grid.offset, name) : 0;
    const places = { lows: at + layout.blockBytes - BLOCK / 2, highs: at + head };
    // The reference rounds by the scale that is not rounded yet.
    const used = importance === undefined ? grid : { d, offset };
    const inverse = used.d === 0 ? 0 : Math.fround(1 / used.d);
    const middle = hasOffset ? 0.5 : half + 0.5;
    for (let i = 0; i < BLOCK; i++) {
      const x = Math.fround(Math.fround(values[start + i]! - used.offset) * inverse);
      putCode(bytes, places, i, Math.max(0, Math.min(most, Math.trunc(Math.fround(x + middle)))));
    }
  });
};

/** The types of blocks of 32. */
export const packedBlocks = {
  q8_0: form(q8Block, () => q8),
  q4_0: even({ name: "q4_0", most: 15, hasOffset: false }),
  q4_1: even({ name: "q4_1", most: 15, hasOffset: true }),
  q5_0: even({ name: "q5_0", most: 31, hasOffset: false }),
  q5_1: even({ name: "q5_1", most: 31, hasOffset: true }),
} as const;
