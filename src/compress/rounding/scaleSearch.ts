/**
 * Scale search: of grids that cut off more or less of a block's ends, the one that rounds it with the least
 * squared error, in which each input counts by its mean square, for that is what reaches the outputs. Under a
 * grid's codes the best scale is known (least squares, as in llama.cpp's k-quants,
 * https://github.com/ggml-org/llama.cpp/pull/1684), so few grids have to be tried.
 */
import { type Codes, type Grid, type GridOptions, gridsOf, type Rows, rounded } from "./codes.ts";
import { idleGrid, rangeGrid, spanOf } from "./nearest.ts";

/** Numbers from `from` down to `to`, a step apart. */
const down = (from: number, to: number, step: number): readonly number[] =>
  Array.from({ length: Math.round((from - to) / step) + 1 }, (_, i) => from - i * step);

/**
 * Shares of a block's range that are tried, in small steps and from beyond the whole of it: with five steps
 * down to 0.7 a model lost a quarter more. With fewer codes it pays to cut off more.
 */
const SHARES = { few: down(1.1, 0.4, 0.05), four: down(1.06, 0.73, 0.03), eight: [1, 0.95] } as const;

const sharesOf = (bits: number): readonly number[] =>
  bits >= 8 ? SHARES.eight : bits === 4 ? SHARES.four : SHARES.few;

/** Grids that a block may be rounded by, the one that spans it first. */
const candidates = ({ bits, symmetric = false }: GridOptions, first: Grid): Grid[] => {
  const most = 2 ** bits - 1;
  const shares = sharesOf(bits);
  if (symmetric) {
    const both = [first.scale, -first.scale * (2 ** (bits - 1) / (2 ** (bits - 1) - 1))];
    return both.flatMap((scale) => shares.map((share) => ({ scale: scale * share, zero: first.zero })));
  }
  const zeros = [first.zero, first.zero - 1, first.zero + 1].filter((z) => z >= 0 && z <= most);
  return zeros.flatMap((zero) => shares.map((share) => ({ scale: first.scale * share, zero })));
};

/** A block: elements `from` to `to`, and the weight of each; all alike where there are none. */
interface Block {
  readonly values: Rows["values"];
  readonly from: number;
  readonly to: number;
  /** Of the block's inputs. */
  readonly weights: Float64Array;
  /** The weighted square of its numbers. */
  readonly total: number;
}

/**
 * The scale under which the codes of `grid` have the numbers' own size, and how much of the weighted square
 * they explain. The scale of least squares would be smaller, by the share that is not explained: every
 * layer's outputs would shrink alike, which costs a model more than errors that go either way.
 */
const fitted = ({ values, from, to, weights, total }: Block, { scale, zero }: Grid, most: number) => {
  let [along, square] = [0, 0];
  const inverse = 1 / scale;
  for (let i = from; i < to; i++) {
    const value = values[i]!;
    let code = Math.round(value * inverse) + zero;
    code = code > most ? most : Math.max(code, 0);
    const centred = code - zero;
    const weighted = weights[i - from]! * centred;
    along += weighted * value;
    square += weighted * centred;
  }
  return square > 0 && along !== 0
    ? { scale: total / along, explained: (along * along) / square }
    : undefined;
};

const errorOf = ({ values, from, to, weights }: Block, { scale, zero }: Grid, most: number): number => {
  let sum = 0;
  for (let i = from; i < to; i++) {
    const code = Math.min(most, Math.max(0, Math.round(values[i]! / scale) + zero));
    const error = (code - zero) * scale - values[i]!;
    sum += weights[i - from]! * error * error;
  }
  return sum;
};

const bestGrid = (block: Block, options: GridOptions, first: Grid): Grid => {
  const most = 2 ** options.bits - 1;
  let best: Grid | undefined;
  let most2 = 0;
  for (const grid of candidates(options, first)) {
    const found = fitted(block, grid, most);
    if (found === undefined || found.explained <= most2) continue;
    const scale = Math.fround(found.scale);
    if (scale === 0 || !Number.isFinite(1 / scale)) continue;
    [most2, best] = [found.explained, { scale, zero: grid.zero }];
  }
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
    const total = weights.reduce((sum, h, i) => sum + h * values[from + i]! ** 2, 0);
    return bestGrid({ values, from, to, weights, total }, options, range(values, from, to));
  });
};

/** A matrix rounded to nearest on the grids of `searchedGrids`. */
export const scaleSearch = (rows: Rows, options: GridOptions, squares?: ArrayLike<number>): Codes =>
  rounded(rows, options, searchedGrids(rows, options, squares));
