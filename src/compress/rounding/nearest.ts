/** Rounding to nearest: each block's grid spans its numbers, and each number takes the nearest code. */
import {
  type Codes,
  type Grid,
  type GridOf,
  type GridOptions,
  gridsOf,
  type Rows,
  rounded,
} from "./codes.ts";

/** The smallest and the largest of elements `from` to `to`, and 0. */
export const spanOf = (values: Rows["values"], from: number, to: number): readonly [number, number] => {
  let [low, high] = [0, 0];
  for (let i = from; i < to; i++) {
    const v = values[i]!;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return [low, high];
};

/** The grid of a block of zeros. */
export const idleGrid = (bits: number): Grid => ({ scale: 1, zero: 2 ** (bits - 1) });

const symmetricGrid = (bits: number, low: number, high: number): Grid => {
  const zero = 2 ** (bits - 1);
  // The side of the larger numbers has a code more.
  const scale = Math.fround((high > -low ? high : low) / -zero);
  return { scale, zero };
};

const asymmetricGrid = (bits: number, low: number, high: number): Grid => {
  const most = 2 ** bits - 1;
  const scale = Math.fround((high - low) / most);
  return { scale, zero: Math.min(most, Math.max(0, Math.round(-low / scale))) };
};

/** The grid that spans a block's numbers. */
export const rangeGrid =
  ({ bits, symmetric = false }: GridOptions): GridOf =>
  (values, from, to) => {
    const [low, high] = spanOf(values, from, to);
    if (low === high) return idleGrid(bits);
    const grid = (symmetric ? symmetricGrid : asymmetricGrid)(bits, low, high);
    return grid.scale === 0 ? idleGrid(bits) : grid;
  };

/** A matrix rounded to nearest. */
export const nearest = (rows: Rows, options: GridOptions): Codes =>
  rounded(rows, options, gridsOf(rows, options, rangeGrid(options)));
