/**
 * Weights of 8 bits, rounded to nearest: symmetric, a scale for each output. The rows of strong inputs stay
 * float32: what reads most of a row's energy is worth more than its size, and of the others one scale a
 * column rounds as well as groups of 64 inputs would without that (of SmolLM2-135M).
 */
import { tensor } from "../ir/tensor.ts";
import type { Int8Form } from "../ops/int8.ts";
import { turnInPlace } from "../ops/rotation.ts";
import { byColumn, eachTile, type Matrix, type Parts } from "./matrix.ts";

/** The largest weight. */
const MOST = 127;
/**
 * The most that two neighbouring inputs' weights of one sign may be together where inputs are one digit of 8
 * bits: 255 times as much fits 16 bits.
 */
const MOST_OF_TWO = 128;
/** Elements below which a matrix is widened when it is loaded: starting its integer product takes longer. */
export const SMALL = 2 ** 17;

/** The form of a matrix of `k` inputs and `n` outputs that was not measured: two digits, if any. */
export const plainForm = ({ k, n }: Pick<Matrix, "k" | "n">): Int8Form => ({
  digits: k * n < SMALL ? 0 : 2,
  strong: [],
});

/** What each input's weights are multiplied by: 0 where it stands apart. */
const factorsOf = (k: number, { strong, steps }: Int8Form): Float64Array => {
  const factors = Float64Array.from({ length: k }, (_, i) => steps?.[i] ?? 1);
  for (const i of strong) factors[i] = 0;
  return factors;
};

/** The weights of inputs that are turned, of strong ones 0; without a rotation all as they are. */
const turned = (matrix: Matrix, { rotation, strong }: Int8Form): Matrix => {
  if (rotation === undefined) return matrix;
  const { k, n } = matrix;
  const data = Float32Array.from(byColumn(matrix));
  for (let j = 0; j < n; j++) for (const i of strong) data[j * k + i] = 0;
  turnInPlace(data, rotation);
  return { k, n, data, stepK: 1, stepN: k };
};

/** The smallest scale of each column under which its weights fit, and neighbours of one sign too, [N]. */
const scalesOf = (matrix: Matrix, factors: Float64Array, digits: Int8Form["digits"]): Float32Array => {
  const { k, n, data, stepK, stepN } = matrix;
  const scale = new Float32Array(n);
  for (let j = 0; j < n; j++) {
    let [top, pair, before] = [0, 0, 0];
    for (let i = 0; i < k; i++) {
      const w = data[i * stepK + j * stepN]! * factors[i]!;
      top = Math.max(top, Math.abs(w));
      if (i % 2 === 1) pair = Math.max(pair, Math.abs(before + w));
      before = w;
    }
    // One less than they may be: each of the two is rounded by up to a half.
    const least = Math.max(top / MOST, digits === 1 ? pair / (MOST_OF_TWO - 1) : 0);
    scale[j] = least === 0 ? 1 : least;
  }
  return scale;
};

/** The rows of strong inputs, float32 [S, N]. */
const rowsOf = ({ n, data, stepK, stepN }: Matrix, strong: readonly number[]) => {
  const rows = new Float32Array(strong.length * n);
  for (const [row, i] of strong.entries()) {
    for (let j = 0; j < n; j++) rows[row * n + j] = data[i * stepK + j * stepN]!;
  }
  return tensor("float32", [strong.length, n], rows);
};

/** How a matrix of 8 bits is stored. */
export interface Int8PartsOptions {
  /** As uint8 with 128 standing for 0. */
  readonly unsigned?: boolean;
  /** Whether each output's weights lie side by side, as those of a table of which rows are read. */
  readonly table?: boolean;
}

/** q int8 or uint8 [K, N], of a table [N, K]; scale [N] and, where inputs are strong, rows [S, N]. */
export const int8Parts = (whole: Matrix, form: Int8Form, options: Int8PartsOptions = {}): Parts => {
  const { unsigned = false, table = false } = options;
  const matrix = turned(whole, form);
  const { k, n, data, stepK, stepN } = matrix;
  const [toK, toN] = table ? [1, k] : [n, 1];
  const zero = unsigned ? 128 : 0;
  const q = unsigned ? new Uint8Array(k * n).fill(zero) : new Int8Array(k * n);
  const factors = form.rotation === undefined ? factorsOf(k, form) : new Float64Array(k).fill(1);
  const scale = scalesOf(matrix, factors, form.digits);
  eachTile(matrix, (fromK, endK, fromN, endN) => {
    for (let i = fromK; i < endK; i++) {
      const factor = factors[i]!;
      if (factor === 0) continue;
      for (let j = fromN; j < endN; j++) {
        const rounded = Math.round((data[i * stepK + j * stepN]! * factor) / scale[j]!);
        q[i * toK + j * toN] = zero + (rounded > MOST ? MOST : Math.max(rounded, -MOST));
      }
    }
  });
  const shape = table ? [n, k] : [k, n];
  const parts = { q: tensor(unsigned ? "uint8" : "int8", shape, q), scale: tensor("float32", [n], scale) };
  return form.strong.length === 0 ? parts : { ...parts, rows: rowsOf(whole, form.strong) };
};
