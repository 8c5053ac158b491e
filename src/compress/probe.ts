/** The forward pass on a few texts with the matrices as inputs: one program for every question about them. */
import type { Value } from "../ir/op.ts";
import { type Program, trace } from "../ir/program.ts";
import { type Tensor, type TensorType, tensorOf } from "../ir/tensor.ts";
import { type LinearInfo, packable } from "../models/linears.ts";
import type { Model } from "../models/model.ts";
import { asConstants, isPacked, type Param, type Weight } from "../nn/param.ts";
import { cosineSum } from "../util/cosine.ts";
import { entries, mapTree, type Tree } from "../util/tree.ts";

/** Texts as token ids. */
export type Ids = readonly (readonly number[])[];

/** What may be ended before it is done. */
export interface Interruptible {
  readonly signal?: AbortSignal;
}

/** Rows of tokens that are read, and their length. */
const [ROWS, LENGTH] = [4, 64];

/** A model as a program whose matrices are inputs, with what it is fed: a change of one is one more run. */
export interface Probe {
  /** Inputs `ids` and, for each matrix, `w.PATH`; output `out`, the model's logits or features. */
  readonly program: Program;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

/** Tokens as rows of one length, [B, T]: the texts one behind the other, again and again. */
const rowsOf = (texts: Ids, positions: number): Tensor => {
  const all = texts.flat();
  const length = Math.max(1, Math.min(LENGTH, positions - 1));
  const ids = Array.from({ length: ROWS * length }, (_, i) => all[i % all.length] ?? 0);
  return tensorOf("int32", [ROWS, length], ids);
};

/** The dense matrices of a model that are packed when it is quantized, by path. */
export const denseMatrices = (model: Model): Record<string, Tensor> => {
  const known = packable(model.arch.linears(model.config));
  const matrices: Record<string, Tensor> = {};
  for (const [path, w] of entries<Weight>(model.weights)) {
    if (known.has(path) && !isPacked(w)) matrices[path] = w;
  }
  return matrices;
};

/** A model's logits or features on `ids` [B, T], which a pair's decoder reads too. */
export const logitsOn = ({ arch, config }: Model, params: Tree<Param>, inputIds: Value): Value => {
  const target = arch.kind === "seq2seq" ? { decoderInputIds: inputIds } : {};
  return arch.forward(params, { inputIds, ...target }, config).logits;
};

/** A model's forward pass on `ids` [B, T] with `matrices` as inputs; see Probe. */
export const matrixProgram = (
  model: Model,
  ids: TensorType,
  matrices: Readonly<Record<string, Tensor>>,
): Program => {
  const type = ({ dtype, shape }: TensorType): TensorType => ({ dtype, shape });
  const types = Object.fromEntries(Object.entries(matrices).map(([path, t]) => [path, type(t)]));
  return trace({ ids: type(ids), w: types }, ({ ids: inputIds, w }) => {
    const params = mapTree<Param, Param>(asConstants(model.weights), (c, path) => w[path] ?? c);
    return { out: logitsOn(model, params, inputIds) };
  });
};

/** The probe of a model of dense matrices. */
export const probeOf = (model: Model, texts: Ids): Probe => {
  const matrices = denseMatrices(model);
  const ids = rowsOf(texts, model.arch.cache(model.config).positions);
  const named = Object.entries(matrices).map(([path, t]) => [`w.${path}`, t]);
  return { program: matrixProgram(model, ids, matrices), feeds: { ids, ...Object.fromEntries(named) } };
};

/** One kind of matrix in one of `parts` of the layers: "layers.*.mlp.up_proj.weight 2". */
export const groupName = ({ path, layer }: LinearInfo, layers: number, parts = 3): string =>
  layer === undefined ? path : `${path.replace(`.${layer}.`, ".*.")} ${Math.floor((parts * layer) / layers)}`;

/** The cosine of two outputs of a probe. */
export const cosine = (a: Float32Array, b: Float32Array): number => {
  const sum = cosineSum();
  sum.add(a, b);
  return sum.cosine();
};

/** The divergence of one row. */
const rowDivergence = (a: Float32Array, b: Float32Array): number => {
  const top = a.reduce((most, v) => Math.max(most, v), Number.NEGATIVE_INFINITY);
  let [total, first, second] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const p = Math.exp(a[i]! - top);
    const change = b[i]! - a[i]!;
    total += p;
    first += p * change;
    second += p * change * change;
  }
  return (second / total - (first / total) ** 2) / 2;
};

/**
 * About how far choices by logits `b` are from those by `a`, rows of `width`, in nats a row: the divergence
 * of Kullback and Leibler to its second order, half the variance of what changed under the probabilities
 * of `a`.
 */
export const divergence = (a: Float32Array, b: Float32Array, width: number): number => {
  let sum = 0;
  for (let from = 0; from < a.length; from += width) {
    sum += rowDivergence(a.subarray(from, from + width), b.subarray(from, from + width));
  }
  return (sum * width) / Math.max(1, a.length);
};
