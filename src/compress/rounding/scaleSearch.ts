/**
 * Scale search: of grids that cut off more or less of a block's ends, the one that rounds it with the least
 * squared error, in which each input counts by its mean square, for that is what reaches the outputs. Under a
 * grid's codes the best scale is known (least squares, as in llama.cpp's k-quants,
 * https://github.com/ggml-org/llama.cpp/pull/1684), so few grids have to be tried.
 */
import { type Codes, type Grid, type GridOptions, gridsOf, type Rows, rounded } from "./codes.ts";
import { idleGrid, rangeGrid, spanOf } from "./nearest.ts";

/**
 * Shares of a block's range that are tried, from beyond the whole of it: a few first, then those `fine` steps
 * around the best. (With steps of 0.075 alone a model lost a quarter more.) With fewer codes it pays to cut
 * off more.
 */
interface Shares {
  readonly coarse: readonly number[];
  readonly fine: number;
}

const sharesOf = (bits: number): Shares => {
  if (bits >= 8) return { coarse: [1, 0.95], fine: 0 };
  return bits === 4
    ? { coarse: [1.06, 0.97, 0.88, 0.79], fine: 0.03 }
    : { coarse: [1.05, 0.9, 0.75, 0.6, 0.45], fine: 0.05 };
};

/** A block: its numbers, and the weight of each. */
interface Block {
  readonly values: Float64Array;
  readonly weights: Float64Array;
  /** The weighted square of its numbers. */
  readonly total: number;
}

/** Added to a number and taken off again it leaves the whole number that is nearest, below 2^51. */
const WHOLES = 1.5 * 2 ** 52;

/**
 * The scale under which the codes of `grid` have the numbers' own size, and how much of the weighted square
 * they explain. The scale of least squares would be smaller, by the share that is not explained: every
 * layer's outputs would shrink alike, which costs a model more than errors that go either way.
 */
const fitted = ({ values, weights, total }: Block, { scale, zero }: Grid, most: number) => {
  let [along, square] = [0, 0];
  const [inverse, low, high] = [1 / scale, -zero, most - zero];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    let code = value * inverse + WHOLES - WHOLES;
    code = code > high ? high : Math.max(code, low);
    const weighted = weights[i]! * code;
    along += weighted * value;
    square += weighted * code;
  }
  return square > 0 && along !== 0
    ? { scale: total / along, explained: (along * along) / square }
    : undefined;
};

const errorOf = ({ values, weights }: Block, { scale, zero }: Grid, most: number): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const code = Math.min(most, Math.max(0, Math.round(values[i]! / scale) + zero));
    const error = (code - zero) * scale - values[i]!;
    sum += weights[i]! * error * error;
  }
  return sum;
};

/** The best of the grids that were tried, before its scale was fitted. */
interface Tried {
  readonly share: number;
  readonly explained: number;
  readonly fitted: Grid;
  /** The grid of the whole range. */
  readonly of: Grid;
}

/** The best grid among shares of `first`, which spans the block, and of others with another code for 0. */
const searched = (block: Block, { bits, symmetric = false }: GridOptions, first: Grid): Grid | undefined => {
  const most = 2 ** bits - 1;
  const { coarse, fine } = sharesOf(bits);
  let best: Tried | undefined;
  const attempt = (of: Grid, share: number): void => {
    const grid = { scale: of.scale * share, zero: of.zero };
    const found = fitted(block, grid, most);
    if (found === undefined || found.explained <= (best?.explained ?? 0)) return;
    const scale = Math.fround(found.scale);
    if (scale === 0 || !Number.isFinite(1 / scale)) return;
    best = { share, of, explained: found.explained, fitted: { scale, zero: of.zero } };
  };
  const whole: Grid[] = [first];
  if (symmetric) {
    whole.push({ ...first, scale: -first.scale * (2 ** (bits - 1) / (2 ** (bits - 1) - 1)) });
  }
  for (const grid of whole) for (const share of coarse) attempt(grid, share);
  if (best === undefined) return undefined;
  if (!symmetric) {
    const { of, share } = best;
    for (const zero of [of.zero - 1, of.zero + 1]) {
      if (zero >= 0 && zero <= most) attempt({ ...of, zero }, share);
    }
  }
  const { of, share } = best;
  if (fine > 0) for (const step of [-fine, fine]) attempt(of, share + step);
  return best.fitted;
};

const bestGrid = (block: Block, options: GridOptions, first: Grid): Grid => {
  const most = 2 ** options.bits - 1;
  let best = searched(block, options, first);
  if (best === undefined) return first;
  const again = fitted(block, best, most);
  if (again !== undefined && Number.isFinite(1 / Math.fround(again.scale))) {
    best = { ...best, scale: Math.fround(again.scale) };
  }
  return errorOf(block, best, most) <= errorOf(block, first, most) ? best : first;
};

/** The weights of a block's inputs; where none of them counts, all do alike. */
const weightsIn = (squares: ArrayLike<number> | undefined, from: number, count: number): Float64Array => {
  const weights = new Float64Array(count).fill(1);
  if (squares === undefined) return weights;
  let total = 0;
  for (let i = 0; i < count; i++) total += squares[from + i]!;
  if (!(total > 0)) return weights;
  for (let i = 0; i < count; i++) weights[i] = squares[from + i]! / total;
  return weights;
};

const blockOf = (numbers: Rows["values"], weights: Float64Array): Block => {
  const values = Float64Array.from(numbers);
  let total = 0;
  for (let i = 0; i < values.length; i++) total += weights[i]! * values[i]! * values[i]!;
  return { values, weights, total };
};

/** The grid of least weighted error for each block; `squares` [K] are the inputs' mean squares. */
export const searchedGrids = (rows: Rows, options: GridOptions, squares?: ArrayLike<number>): Grid[] => {
  const range = rangeGrid(options);
  const weightsAt = new Map<number, Float64Array>();
  return gridsOf(rows, options, (values, from, to) => {
    const [low, high] = spanOf(values, from, to);
    if (low === high) return idleGrid(options.bits);
    const start = from % rows.k;
    const weights = weightsAt.get(start) ?? weightsIn(squares, start, to - from);
    weightsAt.set(start, weights);
    return bestGrid(blockOf(values.subarray(from, to), weights), options, range(values, from, to));
  });
};

/** A matrix rounded to nearest on the grids of `searchedGrids`. */
export const scaleSearch = (rows: Rows, options: GridOptions, squares?: ArrayLike<number>): Codes =>
  rounded(rows, options, searchedGrids(rows, options, squares));
