/** Weight quantization by rounding to nearest, 8 or 4 bits; see int8.ts and int4.ts beside it. */
import { packable } from "../models/linears.ts";
import type { HistoryStep, Model } from "../models/model.ts";
import { kinds } from "../nn/kinds/index.ts";
import { isPacked, type PackedWeight, type Weight } from "../nn/param.ts";
import type { Int8Form } from "../ops/int8.ts";
import { ConfigError } from "../util/errors.ts";
import { mapTree } from "../util/tree.ts";
import { int8Forms } from "./forms.ts";
import { int4Parts } from "./int4.ts";
import { int8Parts, plainForm } from "./int8.ts";
import { type Matrix, matrixOf } from "./matrix.ts";
import { derived, type Pass } from "./pass.ts";
import { wideMatrices } from "./sensitivity.ts";

/** Bits of a weight, and which matrices take how many. */
export interface QuantizeOptions {
  readonly bits: 8 | 4;
  /** Of 8 bits: stored as uint8 around 128 instead of int8 around 0. */
  readonly unsigned?: boolean;
  /**
   * Of 4 bits: names of the matrices that take 8 instead, or stay dense (`spared`). The pass finds them by
   * itself (see `wideMatrices`) where it is told none and has texts to measure on.
   */
  readonly wide?: readonly string[];
  /** Of 4 bits: what the `wide` matrices are; of 8 bits unless told. */
  readonly spared?: "int8" | "dense";
}

const stepOf = ({ bits, unsigned = false, wide = [], spared = "int8" }: QuantizeOptions): HistoryStep => ({
  name: "quantize",
  options: {
    ...{ bits, ...(unsigned ? { unsigned } : {}) },
    ...(wide.length > 0 ? { wide: [...wide] } : {}),
    ...(spared === "dense" ? { spared } : {}),
  },
});

const check = ({ bits, unsigned = false, wide = [], spared }: QuantizeOptions): void => {
  if (bits !== 8 && bits !== 4)
    throw new ConfigError(`must be 8 or 4, not ${bits}`, { field: "quantize.bits" });
  if (unsigned && bits !== 8) throw new ConfigError("goes with 8 bits only", { field: "quantize.unsigned" });
  if (wide.length > 0 && bits !== 4)
    throw new ConfigError("goes with 4 bits only", { field: "quantize.wide" });
  if (spared !== undefined && bits !== 4)
    throw new ConfigError("goes with 4 bits only", { field: "quantize.spared" });
};

/** The forms of 8-bit matrices by path, as `int8Forms` finds them. */
export type Int8FormMap = ReadonlyMap<string, Int8Form>;

const packed = (matrix: Matrix, path: string, options: QuantizeOptions, forms: Int8FormMap) => {
  const { bits, unsigned = false, wide = [] } = options;
  if (bits === 4 && !wide.includes(path)) return { kind: kinds.int4, parts: int4Parts(matrix) };
  const form = forms.get(path) ?? plainForm(matrix);
  return { kind: kinds.int8, parts: int8Parts(matrix, form, { unsigned }), attrs: { ...form } };
};

/**
 * `model` with its matrices packed; norms, biases, positions and the projection to labels stay float32.
 * Matrices of 8 bits without a form in `forms` read two digits.
 */
export const quantized = (model: Model, options: QuantizeOptions, forms: Int8FormMap = new Map()): Model => {
  check(options);
  const matrices = packable(model.arch.linears(model.config));
  for (const path of options.wide ?? []) {
    if (!matrices.has(path))
      throw new ConfigError(`${path} is no matrix of the model`, { field: "quantize.wide" });
  }
  const dense = new Set(options.spared === "dense" ? options.wide : []);
  const weights = mapTree<Weight, Weight>(model.weights, (w, path) => {
    const layout = matrices.get(path)?.layout;
    if (layout === undefined || dense.has(path)) return w;
    if (isPacked(w)) throw new ConfigError(`is ${w.kind.name} already`, { tensor: path });
    const form: PackedWeight = {
      ...{ dtype: "float32", shape: w.shape, layout },
      ...packed(matrixOf(path, w, layout), path, options, forms),
    };
    return form;
  });
  return derived(model, stepOf(options), { weights });
};

/** The pass that packs the matrices; see `quantized`. */
export const quantize = (options: QuantizeOptions): Pass => {
  check(options);
  return {
    ...stepOf(options),
    async run(model, { engine, calibration }) {
      if (!calibration) return quantized(model, options);
      const found = options.bits === 4 && options.wide === undefined;
      const wide = found ? await wideMatrices(engine, model, calibration) : options.wide;
      const forms = await int8Forms(engine, model, calibration);
      return quantized(model, { ...options, ...(wide === undefined ? {} : { wide }) }, forms);
    },
  };
};
