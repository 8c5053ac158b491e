/**
 * Plain JavaScript versions of the ops, in float64 over flat row-major arrays: slow, obvious, independent of
 * src/ops.
 */
import { rng } from "../src/util/rng.ts";

export type Flat = readonly number[];
type Shape = readonly number[];

export const count = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

/** The multi-index of element `i`. */
export const indexOf = (i: number, shape: Shape): number[] => {
  const index: number[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index.unshift(i % shape[axis]!);
    i = Math.floor(i / shape[axis]!);
  }
  return index;
};

/** The flat position of a multi-index. */
export const at = (index: readonly number[], shape: Shape): number =>
  index.reduce((flat, i, axis) => flat * shape[axis]! + i, 0);

/** A tensor of `shape` from a function of the multi-index. */
export const make = (shape: Shape, fn: (index: number[]) => number): number[] =>
  Array.from({ length: count(shape) }, (_, i) => fn(indexOf(i, shape)));

/** Element of `x` that numpy broadcasting puts at `index`. */
export const pick = (x: Flat, shape: Shape, index: readonly number[]): number => {
  const own = index.slice(index.length - shape.length).map((i, axis) => (shape[axis] === 1 ? 0 : i));
  return x[at(own, shape)]!;
};

/** fn over broadcast operands. */
export const zip =
  (fn: (...xs: number[]) => number, out: Shape, ...shapes: Shape[]) =>
  (...inputs: Flat[]): number[][] => [
    make(out, (index) => fn(...inputs.map((x, i) => pick(x, shapes[i]!, index)))),
  ];

/** Applies fn to each row of the last axis. */
export const rows = (x: Flat, width: number, fn: (row: Flat) => Flat): number[] => {
  const out: number[] = [];
  for (let i = 0; i < x.length; i += width) out.push(...fn(x.slice(i, i + width)));
  return out;
};

const total = (xs: Flat): number => xs.reduce((a, b) => a + b, 0);

export const softmaxRow = (row: Flat): number[] => {
  const top = Math.max(...row);
  const exps = row.map((x) => Math.exp(x - top));
  return exps.map((e) => e / total(exps));
};

export const logSoftmaxRow = (row: Flat): number[] => {
  const top = Math.max(...row);
  const logSum = top + Math.log(total(row.map((x) => Math.exp(x - top))));
  return row.map((x) => x - logSum);
};

export const layerNormRow = (row: Flat, scale: Flat, bias: Flat, epsilon: number): number[] => {
  const mean = total(row) / row.length;
  const variance = total(row.map((x) => (x - mean) ** 2)) / row.length;
  return row.map((x, i) => ((x - mean) / Math.sqrt(variance + epsilon)) * scale[i]! + bias[i]!);
};

export const rmsNormRow = (row: Flat, scale: Flat, epsilon: number): number[] => {
  const square = total(row.map((x) => x * x)) / row.length;
  return row.map((x, i) => (x / Math.sqrt(square + epsilon)) * scale[i]!);
};

/** [M, K] x [K, N] */
export const product = (a: Flat, b: Flat, m: number, k: number, n: number): number[] =>
  make([m, n], ([i, j]) => {
    let s = 0;
    for (let x = 0; x < k; x++) s += a[i! * k + x]! * b[x * n + j!]!;
    return s;
  });

export const transposed = (x: Flat, m: number, n: number): number[] =>
  make([n, m], ([i, j]) => x[j! * n + i!]!);

/** Batched product with broadcast batch axes and transposes. */
export const matmulOf =
  (aShape: Shape, bShape: Shape, { transA = false, transB = false, alpha = 1 } = {}) =>
  (a: Flat, b: Flat): number[][] => {
    const [am, an] = aShape.slice(-2) as [number, number];
    const [bm, bn] = bShape.slice(-2) as [number, number];
    const [m, k, n] = [transA ? an : am, transA ? am : an, transB ? bm : bn];
    const rank = Math.max(aShape.length, bShape.length) - 2;
    const batch = Array.from({ length: rank }, (_, i) =>
      Math.max(aShape[aShape.length - 2 - rank + i] ?? 1, bShape[bShape.length - 2 - rank + i] ?? 1),
    );
    const part = (x: Flat, shape: Shape, index: number[]): Flat => {
      const lead = shape.slice(0, -2);
      const own = index.slice(rank - lead.length).map((i, axis) => (lead[axis] === 1 ? 0 : i));
      const size = count(shape.slice(-2));
      return x.slice(at(own, lead) * size, (at(own, lead) + 1) * size);
    };
    const out: number[] = [];
    for (let i = 0; i < count(batch); i++) {
      const index = indexOf(i, batch);
      const [x, y] = [part(a, aShape, index), part(b, bShape, index)];
      const [left, right] = [transA ? transposed(x, am, an) : x, transB ? transposed(y, bm, bn) : y];
      out.push(...product(left, right, m, k, n).map((v) => alpha * v));
    }
    return [out];
  };

/** Attention of one head: q [T, D], k and v [S, D], mask(t, s) added to the scores. */
export const attendHead = (
  q: Flat,
  k: Flat,
  v: Flat,
  {
    t,
    s,
    d,
    scale,
    mask,
  }: { t: number; s: number; d: number; scale: number; mask: (t: number, s: number) => number },
): { out: number[]; probs: number[] } => {
  const scores = product(q, transposed(k, s, d), t, d, s).map(
    (x, i) => scale * x + mask(Math.floor(i / s), i % s),
  );
  const probs = rows(scores, s, softmaxRow);
  return { out: product(probs, v, t, s, d), probs };
};

/** The error function (Abramowitz & Stegun 7.1.5: the Taylor series, enough for |x| < 4). */
export const erfOf = (x: number): number => {
  let [term, sum] = [x, x];
  for (let n = 1; n < 100; n++) {
    term *= -(x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
};

/** `n` numbers in [low, high), a function of the name. */
export const draw = (name: string, n: number, low: number, high: number): number[] => {
  const random = rng(7, name);
  return Array.from({ length: n }, () => low + (high - low) * random.uniform());
};
