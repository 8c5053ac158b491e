/**
 * Weight quantization by rounding to nearest. 8 bits: symmetric, one scale a column, activations quantized as
 * they come (Dettmers et al. 2022, https://arxiv.org/abs/2208.07339, without the outlier split). 4 bits:
 * blocks of 32 along the inner dimension with a scale each, chosen so that the value of largest magnitude is
 * met exactly.
 */
import { type Tensor, tensor } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { INT4_BLOCK } from "../nn/linear.ts";
import { isPacked, type PackedWeight, type Weight } from "../nn/param.ts";
import { ConfigError } from "../util/errors.ts";
import { mapTree } from "../util/tree.ts";
import { derived, type Pass } from "./pass.ts";

export interface QuantizeOptions {
  readonly bits: 8 | 4;
}

/** A matrix read as [K, N] whichever way it is stored. */
interface Matrix {
  readonly k: number;
  readonly n: number;
  at(row: number, column: number): number;
}

const matrixOf = (w: Tensor, layout: "kn" | "nk"): Matrix => {
  const [rows, columns] = w.shape as [number, number];
  const data = w.data as Float32Array;
  return layout === "kn"
    ? { k: rows, n: columns, at: (i, j) => data[i * columns + j]! }
    : { k: columns, n: rows, at: (i, j) => data[j * columns + i]! };
};

const clamp = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, Math.round(x)));

/** q int8 [K, N] and scale [N]. */
const int8 = ({ k, n, at }: Matrix): PackedWeight["parts"] => {
  const q = new Int8Array(k * n);
  const scale = new Float32Array(n);
  for (let j = 0; j < n; j++) {
    let top = 0;
    for (let i = 0; i < k; i++) top = Math.max(top, Math.abs(at(i, j)));
    scale[j] = top === 0 ? 1 : top / 127;
    for (let i = 0; i < k; i++) q[i * n + j] = clamp(at(i, j) / scale[j]!, -127, 127);
  }
  return { q: tensor("int8", [k, n], q), scale: tensor("float32", [n], scale) };
};

/** q uint8 [N, ceil(K / 32), 16], low nibble first, and scale [N * ceil(K / 32)]. */
const int4 = ({ k, n, at }: Matrix): PackedWeight["parts"] => {
  const blocks = Math.ceil(k / INT4_BLOCK);
  const bytes = INT4_BLOCK / 2;
  const q = new Uint8Array(n * blocks * bytes);
  const scale = new Float32Array(n * blocks);
  for (let j = 0; j < n; j++) {
    for (let b = 0; b < blocks; b++) {
      const start = b * INT4_BLOCK;
      const value = (i: number) => (start + i < k ? at(start + i, j) : 0);
      let top = 0;
      for (let i = 0; i < INT4_BLOCK; i++) if (Math.abs(value(i)) > Math.abs(top)) top = value(i);
      const s = top === 0 ? 1 : top / -8;
      scale[j * blocks + b] = s;
      for (let i = 0; i < INT4_BLOCK; i++) {
        const nibble = clamp(value(i) / s + 8, 0, 15);
        q[(j * blocks + b) * bytes + (i >> 1)]! |= nibble << (i % 2 === 0 ? 0 : 4);
      }
    }
  }
  return { q: tensor("uint8", [n, blocks, bytes], q), scale: tensor("float32", [n * blocks], scale) };
};

const packers = { 8: ["int8", int8], 4: ["int4", int4] } as const;

/** Packs the matrices that the architecture names; norms, biases and positions stay float32. */
export const quantize = ({ bits }: QuantizeOptions): Pass => {
  if (!Object.hasOwn(packers, bits))
    throw new ConfigError(`must be 8 or 4, not ${bits}`, { field: "quantize.bits" });
  const [kind, pack] = packers[bits];
  const pass = { name: "quantize", options: { bits } };
  return {
    ...pass,
    run: async (model: Model) => {
      const matrices = model.arch.matrices(model.config);
      const weights = mapTree<Weight, Weight>(model.weights, (w, path) => {
        const layout = matrices.get(path);
        if (layout === undefined) return w;
        if (isPacked(w)) throw new ConfigError(`is ${w.kind} already`, { tensor: path });
        return { dtype: "float32", shape: w.shape, kind, parts: pack(matrixOf(w, layout)) };
      });
      return derived(model, pass, { weights });
    },
  };
};
