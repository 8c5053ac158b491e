/**
 * Weight quantization by rounding to nearest. 8 bits: symmetric, one scale a column, activations quantized as
 * they come (Dettmers et al. 2022, https://arxiv.org/abs/2208.07339, without the outlier split); unsigned, the
 * same numbers stand 128 higher, which processors without VNNI multiply without saturating. 4 bits:
 * blocks of 32 along the inner dimension with a scale each, chosen so that the value of largest magnitude is
 * met exactly.
 */
import { type Tensor, tensor } from "../ir/tensor.ts";
import type { HistoryStep, Model } from "../models/model.ts";
import { INT4_BLOCK } from "../nn/linear.ts";
import { isPacked, type PackedWeight, type Weight } from "../nn/param.ts";
import { ConfigError } from "../util/errors.ts";
import { mapTree } from "../util/tree.ts";
import { derived, type Pass } from "./pass.ts";

export interface QuantizeOptions {
  readonly bits: 8 | 4;
  /** Of 8 bits: stored as uint8 around 128 instead of int8 around 0. */
  readonly unsigned?: boolean;
}

/** A matrix of K inputs and N outputs: element (i, j) at `i * stepK + j * stepN`, however it is stored. */
interface Matrix {
  readonly k: number;
  readonly n: number;
  readonly data: Float32Array;
  readonly stepK: number;
  readonly stepN: number;
}

const matrixOf = (name: string, w: Tensor, layout: "kn" | "nk"): Matrix => {
  const [rows, columns] = w.shape as [number, number];
  const data = w.data as Float32Array;
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) throw new ConfigError(`has the value ${data[i]}`, { tensor: name });
  }
  return layout === "kn"
    ? { k: rows, n: columns, data, stepK: columns, stepN: 1 }
    : { k: columns, n: rows, data, stepK: 1, stepN: columns };
};

/** Rows and columns of a tile: reading one way and writing the other stays within the caches. */
const TILE = 64;

type Tile = (fromK: number, toK: number, fromN: number, toN: number) => void;

const eachTile = ({ k, n }: Matrix, visit: Tile): void => {
  for (let i = 0; i < k; i += TILE) {
    for (let j = 0; j < n; j += TILE) visit(i, Math.min(k, i + TILE), j, Math.min(n, j + TILE));
  }
};

/** The largest magnitude of each column, [N]. */
const magnitudes = (matrix: Matrix): Float64Array => {
  const { n, data, stepK, stepN } = matrix;
  const top = new Float64Array(n);
  eachTile(matrix, (fromK, toK, fromN, toN) => {
    for (let j = fromN; j < toN; j++) {
      for (let i = fromK; i < toK; i++) {
        const size = Math.abs(data[i * stepK + j * stepN]!);
        if (size > top[j]!) top[j] = size;
      }
    }
  });
  return top;
};

/** q int8 [K, N] and scale [N]. */
const int8 = (matrix: Matrix): PackedWeight["parts"] => {
  const { k, n, data, stepK, stepN } = matrix;
  const q = new Int8Array(k * n);
  const scale = Float32Array.from(magnitudes(matrix), (top) => (top === 0 ? 1 : top / 127));
  eachTile(matrix, (fromK, toK, fromN, toN) => {
    for (let i = fromK; i < toK; i++) {
      for (let j = fromN; j < toN; j++) {
        const rounded = Math.round(data[i * stepK + j * stepN]! / scale[j]!);
        q[i * n + j] = rounded > 127 ? 127 : Math.max(rounded, -127);
      }
    }
  });
  return { q: tensor("int8", [k, n], q), scale: tensor("float32", [n], scale) };
};

/** The matrix with each column's elements side by side, [N, K]. */
const byColumn = (matrix: Matrix): Float32Array => {
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

/** Packs elements `from` to `to` as nibbles from byte `at` on; returns their scale. */
const int4Block = (values: Float32Array, from: number, to: number, q: Uint8Array, at: number): number => {
  let top = 0;
  for (let i = from; i < to; i++) if (Math.abs(values[i]!) > Math.abs(top)) top = values[i]!;
  const scale = top === 0 ? 1 : top / -8;
  for (let i = 0; i < INT4_BLOCK; i++) {
    const rounded = Math.round((from + i < to ? values[from + i]! : 0) / scale + 8);
    const nibble = rounded > 15 ? 15 : Math.max(rounded, 0);
    q[at + (i >> 1)]! |= i % 2 === 0 ? nibble : nibble << 4;
  }
  return scale;
};

/** q uint8 [N, ceil(K / 32), 16], low nibble first, and scale [N * ceil(K / 32)]. */
const int4 = (matrix: Matrix): PackedWeight["parts"] => {
  const { k, n } = matrix;
  const values = byColumn(matrix);
  const blocks = Math.ceil(k / INT4_BLOCK);
  const bytes = INT4_BLOCK / 2;
  const q = new Uint8Array(n * blocks * bytes);
  const scale = new Float32Array(n * blocks);
  for (let j = 0; j < n; j++) {
    for (let b = 0; b < blocks; b++) {
      const from = j * k + b * INT4_BLOCK;
      const to = Math.min(from + INT4_BLOCK, (j + 1) * k);
      scale[j * blocks + b] = int4Block(values, from, to, q, (j * blocks + b) * bytes);
    }
  }
  return { q: tensor("uint8", [n, blocks, bytes], q), scale: tensor("float32", [n * blocks], scale) };
};

/** q uint8 [K, N], 128 standing for 0, and scale [N]. */
const uint8 = (matrix: Matrix): PackedWeight["parts"] => {
  const { q, scale } = int8(matrix);
  const raised = Uint8Array.from(q!.data as Int8Array, (value) => value + 128);
  return { q: tensor("uint8", q!.shape, raised), scale: scale! };
};

const packers = { 8: ["int8", int8], 4: ["int4", int4] } as const;

const stepOf = ({ bits, unsigned = false }: QuantizeOptions): HistoryStep => ({
  name: "quantize",
  options: unsigned ? { bits, unsigned } : { bits },
});

const packerOf = ({ bits, unsigned = false }: QuantizeOptions) => {
  if (!Object.hasOwn(packers, bits))
    throw new ConfigError(`must be 8 or 4, not ${bits}`, { field: "quantize.bits" });
  if (unsigned && bits !== 8) throw new ConfigError("goes with 8 bits only", { field: "quantize.unsigned" });
  const [kind, signed] = packers[bits];
  return [kind, unsigned ? uint8 : signed] as const;
};

/** `model` with the matrices packed that its architecture names; norms, biases and positions stay float32. */
export const quantized = (model: Model, options: QuantizeOptions): Model => {
  const [kind, pack] = packerOf(options);
  const matrices = model.arch.matrices(model.config);
  const weights = mapTree<Weight, Weight>(model.weights, (w, path) => {
    const layout = matrices.get(path);
    if (layout === undefined) return w;
    if (isPacked(w)) throw new ConfigError(`is ${w.kind} already`, { tensor: path });
    return { dtype: "float32", shape: w.shape, kind, parts: pack(matrixOf(path, w, layout)) };
  });
  return derived(model, stepOf(options), { weights });
};

/** The pass that packs the matrices; see `quantized`. */
export const quantize = (options: QuantizeOptions): Pass => {
  packerOf(options);
  return { ...stepOf(options), run: async (model) => quantized(model, options) };
};
