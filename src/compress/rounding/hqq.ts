/**
 * HQQ (Badri & Shaji 2023, https://mobiusml.github.io/hqq_blog/; https://github.com/mobiusml/hqq): zeros for
 * which the errors' sum of |e|^0.7 is small, so that outliers pull less, found by half-quadratic splitting.
 * It reads no activations. Its zeros lie between codes; ONNX Runtime's quick kernels want whole ones, so
 * `hqq` rounds them, and then moves the scales by the same splitting.
 */
import {
  blocksOf,
  type Codes,
  type Grid,
  type GridOptions,
  gridsOf,
  nearestCode,
  type Rows,
  rounded,
} from "./codes.ts";
import { rangeGrid } from "./nearest.ts";

const [POWER, BETA, GROWTH, ROUNDS] = [0.7, 10, 1.01, 20];

/** The minimizer of |e|^0.7 + beta / 2 (x - e)^2, nearly. */
const shrunk = (x: number, beta: number): number => {
  const size = Math.abs(x);
  if (size === 0) return 0;
  const rest = size - size ** (POWER - 1) / beta;
  return rest > 0 ? Math.sign(x) * rest : 0;
};

/** numpy's and torch's rounding: halves to even. */
const roundEven = (x: number): number => {
  const down = Math.floor(x);
  const rest = x - down;
  if (rest !== 0.5) return rest < 0.5 ? down : down + 1;
  return down % 2 === 0 ? down : down + 1;
};

/** Elements `from` to `to` of a matrix. */
type Span = readonly [from: number, to: number];

const spansOf = ({ n, k }: Rows, options: GridOptions): Span[] => {
  const { block, blocks } = blocksOf(k, options);
  return Array.from({ length: n * blocks }, (_, at) => {
    const [row, b] = [Math.floor(at / blocks), at % blocks];
    return [row * k + b * block, Math.min(row * k + (b + 1) * block, (row + 1) * k)] as const;
  });
};

/** Rounds of the splitting while the mean error shrinks: `step` moves one block, gives its sum of |error|. */
const split = (blocks: number, count: number, step: (at: number, beta: number) => number): void => {
  let best = Number.POSITIVE_INFINITY;
  let beta = BETA;
  for (let round = 0; round < ROUNDS; round++) {
    let sum = 0;
    for (let at = 0; at < blocks; at++) sum += step(at, beta);
    beta *= GROWTH;
    if (sum / count >= best) return;
    best = sum / count;
  }
};

/**
 * The method itself: codes [N, K] with zeros [N, blocks] that lie between codes, as its authors' code has
 * them. A number is (q - zero) * scale.
 */
export const hqqFloat = (
  rows: Rows,
  options: GridOptions,
): { readonly q: Uint8Array; readonly scale: Float64Array; readonly zero: Float64Array } => {
  const { values, n, k } = rows;
  const most = 2 ** options.bits - 1;
  const spans = spansOf(rows, options);
  const factor = new Float64Array(spans.length);
  const zero = new Float64Array(spans.length);
  for (const [at, [from, to]] of spans.entries()) {
    const own = values.subarray(from, to);
    const [low, high] = [Math.min(...own), Math.max(...own)];
    factor[at] = Math.min(most / (high - low), 2e4);
    zero[at] = -low * factor[at]!;
    if (options.bits === 4) zero[at] = roundEven(zero[at]!);
  }
  const codeOf = (i: number, at: number): number =>
    Math.min(most, Math.max(0, roundEven(values[i]! * factor[at]! + zero[at]!)));
  split(spans.length, n * k, (at, beta) => {
    const [from, to] = spans[at]!;
    let [sum, errors] = [0, 0];
    for (let i = from; i < to; i++) {
      const code = codeOf(i, at);
      const error = values[i]! - (code - zero[at]!) / factor[at]!;
      sum += code - (values[i]! - shrunk(error, beta)) * factor[at]!;
      errors += Math.abs(error);
    }
    zero[at] = sum / (to - from);
    return errors;
  });
  const q = new Uint8Array(n * k);
  for (const [at, [from, to]] of spans.entries()) for (let i = from; i < to; i++) q[i] = codeOf(i, at);
  return { q, scale: factor.map((x) => 1 / x), zero };
};

/** Scales moved by the splitting under whole zeros. */
const withScales = (rows: Rows, options: GridOptions, grids: readonly Grid[]): Grid[] => {
  const { values, n, k } = rows;
  const most = 2 ** options.bits - 1;
  const spans = spansOf(rows, options);
  const scale = Float64Array.from(grids, (grid) => grid.scale);
  split(spans.length, n * k, (at, beta) => {
    const [from, to] = spans[at]!;
    const { zero } = grids[at]!;
    let [along, square, errors] = [0, 0, 0];
    for (let i = from; i < to; i++) {
      const code = nearestCode(values[i]!, { scale: scale[at]!, zero }, most) - zero;
      const error = values[i]! - code * scale[at]!;
      along += code * (values[i]! - shrunk(error, beta));
      square += code * code;
      errors += Math.abs(error);
    }
    if (square > 0 && Math.fround(along / square) !== 0) scale[at] = along / square;
    return errors;
  });
  return grids.map(({ zero }, at) => {
    // Under the codes that were found, the scale that keeps the numbers' size: see scaleSearch.ts.
    let [along, total] = [0, 0];
    for (let i = spans[at]![0]; i < spans[at]![1]; i++) {
      const value = values[i]!;
      along += value * (nearestCode(value, { scale: scale[at]!, zero }, most) - zero);
      total += value * value;
    }
    const kept = Math.fround(total / along);
    return { scale: kept !== 0 && Number.isFinite(1 / kept) ? kept : Math.fround(scale[at]!), zero };
  });
};

/** A matrix rounded by HQQ with whole zeros. */
export const hqq = (rows: Rows, options: GridOptions): Codes => {
  const most = 2 ** options.bits - 1;
  const range = gridsOf(rows, options, rangeGrid(options));
  if (options.symmetric === true) return rounded(rows, options, withScales(rows, options, range));
  const { zero } = hqqFloat(rows, options);
  const whole = range.map((grid, at) => {
    const near = Math.round(zero[at]!);
    const inside = Number.isFinite(near) && near >= 0 && near <= most;
    return inside && Math.abs(near - grid.zero) <= 1 ? { ...grid, zero: near } : grid;
  });
  return rounded(rows, options, withScales(rows, options, whole));
};
