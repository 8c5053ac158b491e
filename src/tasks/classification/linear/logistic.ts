/**
 * Logistic regression on sparse rows by L-BFGS (Liu and Nocedal 1989, https://doi.org/10.1007/BF01589116).
 */
import type { SparseRows } from "./features.ts";

/** Weights of the columns and what is added to their sum: the log-odds of a row. */
export interface Logistic {
  readonly weights: Float64Array;
  readonly bias: number;
}

/** Steps that the curvature is told from, steps at most, and the largest slope that counts as none. */
const [MEMORY, STEPS, FLAT] = [10, 100, 1e-4];

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

/**
 * |w|^2 / 2 + the sum over the rows of log(1 + exp(-+ (x w + b))), as scikit-learn's with C = 1, and its
 * slope; the bias stands behind the weights and is not held small.
 */
const objective = ({ starts, columns, values, width }: SparseRows, own: ArrayLike<number>) => {
  const rows = starts.length - 1;
  return (w: Float64Array, slope: Float64Array): number => {
    let loss = 0;
    for (let c = 0; c < width; c++) {
      slope[c] = w[c]!;
      loss += (w[c]! * w[c]!) / 2;
    }
    slope[width] = 0;
    for (let i = 0; i < rows; i++) {
      let z = w[width]!;
      for (let k = starts[i]!; k < starts[i + 1]!; k++) z += w[columns[k]!]! * values[k]!;
      const wrong = own[i] === 1 ? -z : z;
      loss += Math.max(wrong, 0) + Math.log1p(Math.exp(-Math.abs(wrong)));
      const off = 1 / (1 + Math.exp(-z)) - own[i]!;
      for (let k = starts[i]!; k < starts[i + 1]!; k++) slope[columns[k]!]! += off * values[k]!;
      slope[width]! += off;
    }
    return loss;
  };
};

interface Pair {
  readonly step: Float64Array;
  readonly change: Float64Array;
}

/** The slope turned by what the last steps told of the curvature (their two-loop recursion). */
const direction = (slope: Float64Array, pairs: readonly Pair[]): Float64Array => {
  const d = slope.map((g) => -g);
  const shares: number[] = [];
  for (const { step, change } of pairs.toReversed()) {
    const share = dot(step, d) / dot(step, change);
    shares.unshift(share);
    for (let i = 0; i < d.length; i++) d[i]! -= share * change[i]!;
  }
  const last = pairs.at(-1);
  const scale =
    last === undefined
      ? 1 / Math.max(1, Math.sqrt(dot(d, d)))
      : dot(last.step, last.change) / dot(last.change, last.change);
  for (let i = 0; i < d.length; i++) d[i]! *= scale;
  pairs.forEach(({ step, change }, k) => {
    const back = dot(change, d) / dot(step, change);
    for (let i = 0; i < d.length; i++) d[i]! += (shares[k]! - back) * step[i]!;
  });
  return d;
};

/** The regression of rows of which `own` says which have the label (1) and which have not (0). */
export const logistic = (rows: SparseRows, own: ArrayLike<number>): Logistic => {
  const size = rows.width + 1;
  const at = objective(rows, own);
  let [w, slope] = [new Float64Array(size), new Float64Array(size)];
  let loss = at(w, slope);
  const pairs: Pair[] = [];
  for (let n = 0; n < STEPS && slope.some((g) => Math.abs(g) > FLAT * rows.starts.length); n++) {
    const d = direction(slope, pairs);
    const falls = dot(d, slope);
    let [rate, next, steep, reached] = [1, w, slope, loss];
    do {
      const by = rate;
      next = w.map((x, i) => x + by * d[i]!);
      steep = new Float64Array(size);
      reached = at(next, steep);
      rate /= 2;
    } while (reached > loss + 1e-4 * rate * falls && rate > 1e-8);
    const step = next.map((x, i) => x - w[i]!);
    const change = steep.map((g, i) => g - slope[i]!);
    if (dot(step, change) > 1e-12) pairs.push({ step, change });
    if (pairs.length > MEMORY) pairs.shift();
    [w, slope, loss] = [next, steep, reached];
  }
  return { weights: w.subarray(0, rows.width), bias: w[rows.width]! };
};
