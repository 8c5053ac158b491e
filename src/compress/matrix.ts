/** Matrices as packers see them, whichever way they are stored. */
import type { Tensor } from "../ir/tensor.ts";
import type { Layout } from "../nn/param.ts";
import { ConfigError } from "../util/errors.ts";

/** A matrix of K inputs and N outputs: element (i, j) at `i * stepK + j * stepN`, however it is stored. */
export interface Matrix {
  readonly k: number;
  readonly n: number;
  readonly data: Float32Array;
  readonly stepK: number;
  readonly stepN: number;
}

/** The tensors that a matrix is packed into, by name. */
export type Parts = Readonly<Record<string, Tensor>>;

/** A weight [K, N] ("kn") or [N, K] ("nk") as a matrix. Throws ConfigError for NaN and infinity. */
export const matrixOf = (name: string, w: Tensor, layout: Layout): Matrix => {
  const [rows, columns] = w.shape as [number, number];
  const data = w.data as Float32Array;
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) throw new ConfigError(`has the value ${data[i]}`, { tensor: name });
  }
  return layout === "kn"
    ? { k: rows, n: columns, data, stepK: columns, stepN: 1 }
    : { k: columns, n: rows, data, stepK: 1, stepN: columns };
};

/** Inputs `from` to `to` of a matrix, a view. */
export const inputsOf = (matrix: Matrix, from: number, to: number): Matrix => ({
  ...matrix,
  k: to - from,
  data: matrix.data.subarray(from * matrix.stepK),
});

/** Rows and columns of a tile: reading one way and writing the other stays within the caches. */
const TILE = 64;

type Tile = (fromK: number, toK: number, fromN: number, toN: number) => void;

/** Visits a matrix tile by tile. */
export const eachTile = ({ k, n }: Matrix, visit: Tile): void => {
  for (let i = 0; i < k; i += TILE) {
    for (let j = 0; j < n; j += TILE) visit(i, Math.min(k, i + TILE), j, Math.min(n, j + TILE));
  }
};

/** The matrix with each column's elements side by side, [N, K]. */
export const byColumn = (matrix: Matrix): Float32Array => {
  const { k, data, stepK, stepN } = matrix;
  if (stepK === 1) return data;
  const turned = new Float32Array(data.length);
  eachTile(matrix, (fromK, toK, fromN, toN) => {
    for (let j = fromN; j < toN; j++) {
      for (let i = fromK; i < toK; i++) turned[j * k + i] = data[i * stepK + j * stepN]!;
    }
  });
  return turned;
};
