/**
 * Weights of 4 bits: blocks of 32 inputs, each with a scale and what stands for 0, from the range that rounds
 * the block with the least squared error.
 */
import { tensor } from "../ir/tensor.ts";
import { byColumn, type Matrix, type Parts } from "./matrix.ts";

/** Inputs of a block. */
export const INT4_BLOCK = 32;

/** Shares of a block's range that are tried: to cut off the ends rounds the rest more finely. */
const RANGES = [1, 0.95, 0.9, 0.85, 0.8];

interface Grid {
  readonly scale: number;
  readonly zero: number;
}

const nibble = (value: number, { scale, zero }: Grid): number => {
  const rounded = Math.round(value / scale) + zero;
  return rounded > 15 ? 15 : Math.max(rounded, 0);
};

const squaredError = (values: Float32Array, from: number, to: number, grid: Grid): number => {
  let sum = 0;
  for (let i = from; i < to; i++) {
    const error = (nibble(values[i]!, grid) - grid.zero) * grid.scale - values[i]!;
    sum += error * error;
  }
  return sum;
};

/** The best grid for elements `from` to `to`; 0 is always on it. */
const gridOf = (values: Float32Array, from: number, to: number): Grid => {
  let [low, high] = [0, 0];
  for (let i = from; i < to; i++) {
    low = Math.min(low, values[i]!);
    high = Math.max(high, values[i]!);
  }
  if (low === high) return { scale: 1, zero: 8 };
  let best: Grid = { scale: 1, zero: 8 };
  let least = Number.POSITIVE_INFINITY;
  for (const share of RANGES) {
    const scale = Math.fround(((high - low) * share) / 15);
    if (scale === 0) continue;
    const grid = { scale, zero: Math.min(15, Math.max(0, Math.round((-low * share) / scale))) };
    const error = squaredError(values, from, to, grid);
    if (error < least) [least, best] = [error, grid];
  }
  return best;
};

/** q uint8 [N, ceil(K / 32), 16], scale [N * blocks] and zero uint8 [N * ceil(blocks / 2)]; see ops/int4. */
export const int4Parts = (matrix: Matrix): Parts => {
  const { k, n } = matrix;
  const values = byColumn(matrix);
  const blocks = Math.ceil(k / INT4_BLOCK);
  const [bytes, zeroBytes] = [INT4_BLOCK / 2, Math.ceil(blocks / 2)];
  const q = new Uint8Array(n * blocks * bytes);
  const scale = new Float32Array(n * blocks);
  const zero = new Uint8Array(n * zeroBytes);
  for (let j = 0; j < n; j++) {
    for (let b = 0; b < blocks; b++) {
      const from = j * k + b * INT4_BLOCK;
      const to = Math.min(from + INT4_BLOCK, (j + 1) * k);
      const grid = gridOf(values, from, to);
      scale[j * blocks + b] = grid.scale;
      zero[j * zeroBytes + (b >> 1)]! |= grid.zero << (4 * (b % 2));
      const at = (j * blocks + b) * bytes;
      for (let i = 0; i < INT4_BLOCK; i++) {
        q[at + (i >> 1)]! |= nibble(from + i < to ? values[from + i]! : 0, grid) << (4 * (i % 2));
      }
    }
  }
  return {
    q: tensor("uint8", [n, blocks, bytes], q),
    scale: tensor("float32", [n * blocks], scale),
    zero: tensor("uint8", [n * zeroBytes], zero),
  };
};

/** The matrix's numbers as 4 bits have them, stored as it is. */
export const int4Rounded = (matrix: Matrix): Float32Array => {
  const { k, n, stepK, stepN } = matrix;
  const values = byColumn(matrix);
  const rounded = new Float32Array(values.length);
  for (let j = 0; j < n; j++) {
    for (let from = 0; from < k; from += INT4_BLOCK) {
      const to = Math.min(from + INT4_BLOCK, k);
      const grid = gridOf(values, j * k + from, j * k + to);
      for (let i = from; i < to; i++) {
        rounded[i * stepK + j * stepN] = (nibble(values[j * k + i]!, grid) - grid.zero) * grid.scale;
      }
    }
  }
  return rounded;
};
