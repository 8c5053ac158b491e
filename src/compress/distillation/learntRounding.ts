/**
 * Training against quantization: a model whose matrices are rounded at each step while their numbers and
 * scales learn (see nn/kinds/rounded), begun near the codes of a method that reads no gradients, taught by
 * the model before it was rounded (LLM-QAT: Liu et al. 2023, https://arxiv.org/abs/2305.17888).
 */
import { type Tensor, tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { kinds } from "../../nn/kinds/index.ts";
import { roundedEven } from "../../nn/kinds/rounded.ts";
import { isPacked, type PackedWeight, type Weight } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";
import { entries, mapTree } from "../../util/tree.ts";
import { byColumn, matrixOf } from "../matrix.ts";
import { type Codes, dequantized, laidLike, startOf } from "../rounding/codes.ts";

const layoutsOf = ({ arch, config }: Model) =>
  new Map(arch.linears(config).map(({ path, layout }) => [path, layout]));

/**
 * A weight that learns under the grids of `codes`, from numbers near them on: those in the middle between two
 * codes would go to and fro. Throws ConfigError where blocks do not divide it.
 */
const learning = (path: string, w: Weight, layout: PackedWeight["layout"], codes: Codes): PackedWeight => {
  if (isPacked(w)) throw new ConfigError(`is ${w.kind.name} already`, { tensor: path });
  const { k, n, block, bits } = codes;
  if (k % block !== 0) {
    throw new ConfigError(`${k} inputs do not divide into blocks of ${block}`, {
      tensor: path,
      hint: "choose blocks of 32, or another model",
    });
  }
  // A grid of no width stands for zeros alone: nothing divides by 0.
  const scale = codes.scale.map((s) => (s === 0 ? 1e-8 : s));
  const by = [n, k / block] as const;
  const matrix = matrixOf(path, w, layout);
  const near = startOf({ n, k, values: byColumn(matrix) }, { ...codes, scale });
  return {
    ...{ dtype: "float32", shape: w.shape, layout, kind: kinds.rounded, attrs: { bits, block } },
    parts: {
      weight: tensor("float32", w.shape, laidLike(matrix, Float32Array.from(near.values))),
      scale: tensor("float32", by, scale),
      zero: tensor("float32", by, Float32Array.from(codes.zero)),
    },
  };
};

/** The model with the matrices that have codes as ones that learn under their rounding. */
export const learningRounded = (model: Model, codes: ReadonlyMap<string, Codes>): Model => {
  const layouts = layoutsOf(model);
  const weights = mapTree<Weight, Weight>(model.weights, (w, path) => {
    const own = codes.get(path);
    return own === undefined ? w : learning(path, w, layouts.get(path)!, own);
  });
  return { ...model, weights };
};

/** The codes that a weight has learnt. */
const learnt = (path: string, w: PackedWeight): Codes => {
  const numbers = (part: string): Float32Array => (w.parts[part] as Tensor).data as Float32Array;
  const [scale, zero] = [numbers("scale"), numbers("zero")];
  const { bits, block } = w.attrs as Pick<Codes, "bits" | "block">;
  const matrix = matrixOf(path, w.parts.weight as Tensor, w.layout);
  const { k, n } = matrix;
  const rows = byColumn(matrix);
  const most = 2 ** bits - 1;
  const blocks = k / block;
  const q = Uint8Array.from({ length: n * k }, (_, at) => {
    const b = Math.floor(at / k) * blocks + Math.floor((at % k) / block);
    const code = roundedEven(rows[at]! / scale[b]!) + zero[b]!;
    return Math.max(0, Math.min(most, code));
  });
  return { bits, n, k, block, q, scale: scale.slice(), zero: Uint8Array.from(zero) };
};

/**
 * A model that has learnt under rounding, with its matrices as their codes have them, in float32, and the
 * codes by path.
 */
export const learntRounded = (
  trained: Model,
): { readonly model: Model; readonly codes: ReadonlyMap<string, Codes> } => {
  const codes = new Map<string, Codes>();
  for (const [path, w] of entries<Weight>(trained.weights)) {
    if (isPacked(w) && w.kind === kinds.rounded) codes.set(path, learnt(path, w));
  }
  const weights = mapTree<Weight, Weight>(trained.weights, (w, path) => {
    const own = codes.get(path);
    if (own === undefined || !isPacked(w)) return w;
    const like = matrixOf(path, w.parts.weight as Tensor, w.layout);
    return tensor("float32", w.shape, laidLike(like, dequantized(own)));
  });
  return { model: { ...trained, weights }, codes };
};
