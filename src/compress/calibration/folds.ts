/**
 * Folds: what divides a product's inputs by scales without a node of its own. The norm in front takes them
 * into its weights, or the product in front into its outputs, where nothing else reads those.
 */
import { isConstant, type Node, type Value } from "../../ir/op.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import type { LinearInfo } from "../../models/linears.ts";
import type { Model } from "../../models/model.ts";
import { isPacked, type Weight } from "../../nn/param.ts";
import { mapTree } from "../../util/tree.ts";
import { matrixRead, type Readers, readersOf, type Site } from "../sites.ts";
import type { Walkable } from "./walk.ts";

/** What takes a site's scales. */
export interface Fold {
  /** Weights [K] that are divided whole. */
  readonly vectors: readonly string[];
  /** A matrix whose last K outputs are divided, and its bias. */
  readonly outputs?: { readonly path: string; readonly bias?: string };
}

/** The scales of a site, and where they go. */
export interface Folded {
  readonly fold: Fold;
  /** Matrices whose inputs' weights are multiplied. */
  readonly paths: readonly string[];
  readonly scales: Float64Array;
}

const named = ({ node }: Value): string | undefined => (isConstant(node) ? node.attrs.name : undefined);

/** The value behind reshapes that leave the last axis, none of which anything but `readers` reads. */
const behindReshapes = (x: Value, readers: Readers, width: number): Value | undefined => {
  let at = x;
  while (at.node.op.name === "reshape") {
    const from: Value = at.node.inputs[0]!;
    const next: readonly (Node | undefined)[] = readers.get(from)!;
    const alike = next.every((node) => node?.op.name === "reshape" && node.outputs[0] === at);
    if (!alike || from.shape.at(-1) !== width) return undefined;
    at = from;
  }
  return at;
};

/** The product that a value is, with the bias that is added to it. */
const productOf = (given: Value, readers: Readers): Fold["outputs"] | undefined => {
  let value = given;
  let bias: string | undefined;
  for (let step = 0; step < 4; step++) {
    if (readers.get(value)!.length !== 1) return undefined;
    const { node } = value;
    const path = matrixRead(node);
    if (path !== undefined) {
      const own = node.inputs[2] === undefined ? bias : named(node.inputs[2]);
      return { path, ...(own === undefined ? {} : { bias: own }) };
    }
    if (node.op.name === "reshape") value = node.inputs[0]!;
    else if (node.op.name === "add" && named(node.inputs[1]!) !== undefined && bias === undefined) {
      bias = named(node.inputs[1]!);
      value = node.inputs[0]!;
    } else return undefined;
  }
  return undefined;
};

/** What makes `x`: a norm whose result only this site's products read, or a factor that is a product. */
const inFront = (x: Value, readers: Readers): Fold | undefined => {
  const { op, inputs } = x.node;
  if (op.name === "layerNorm" || op.name === "rmsNorm") {
    const vectors = inputs.slice(1).map(named);
    return vectors.every((name) => name !== undefined) ? { vectors } : undefined;
  }
  if (op.name !== "mul") return undefined;
  const outputs = inputs.map((v) => productOf(v, readers)).find((found) => found !== undefined);
  return outputs === undefined ? undefined : { vectors: [], outputs };
};

/** Attention's output is a mean of values: their projection takes what its own is to be divided by. */
const throughAttention = (
  { arch, config }: Model,
  info: LinearInfo,
  matrices: Readonly<Record<string, Tensor>>,
): Fold | undefined => {
  if (info.role !== "o" || arch.kind === "seq2seq") return undefined;
  const value = arch
    .linears(config)
    .find(({ layer, role }) => layer === info.layer && (role === "v" || role === "qkv"));
  if (value === undefined) return undefined;
  const [own, from] = [matrices[info.path]!, matrices[value.path]!];
  const k = own.shape[info.layout === "kn" ? 0 : 1]!;
  const n = from.shape[value.layout === "kn" ? 1 : 0]!;
  // Where query heads share values, an output of theirs is read at several places.
  if (n !== (value.role === "qkv" ? 3 * k : k)) return undefined;
  return {
    vectors: [],
    outputs: { path: value.path, ...(value.bias === undefined ? {} : { bias: value.bias }) },
  };
};

/** Finds what may take a site's scales; undefined where something else reads what the site reads. */
export const foldFinder = (model: Model, { program, matrices }: Pick<Walkable, "program" | "matrices">) => {
  const readers = readersOf(program);
  const infos = new Map(model.arch.linears(model.config).map((info) => [info.path, info]));
  return ({ x, paths }: Site): Fold | undefined => {
    const products = readers.get(x)!;
    const own = products.every(
      (node) =>
        node !== undefined &&
        paths.includes(matrixRead(node) ?? "") &&
        readers.get(node.inputs[1]!)!.length === 1, // A table is looked up too.
    );
    const [info] = paths.map((path) => infos.get(path));
    if (!own || info === undefined) return undefined;
    const made = behindReshapes(x, readers, x.shape.at(-1) as number);
    const found = made === undefined ? undefined : inFront(made, readers);
    return found ?? (paths.length === 1 ? throughAttention(model, info, matrices) : undefined);
  };
};

type Edit = (data: Float32Array, weight: Tensor) => Float32Array;

/** What happens to each weight that folds touch, in their order. */
const editsOf = (folds: readonly Folded[], infos: ReadonlyMap<string, LinearInfo>) => {
  const edits = new Map<string, Edit[]>();
  const add = (path: string, edit: Edit) => edits.set(path, [...(edits.get(path) ?? []), edit]);
  const kn = (path: string): boolean => infos.get(path)?.layout === "kn";
  for (const { fold, paths, scales } of folds) {
    const k = scales.length;
    for (const path of paths) {
      add(path, (data, { shape }) =>
        data.map((v, at) => v * scales[kn(path) ? Math.floor(at / shape[1]!) : at % k]!),
      );
    }
    for (const path of fold.vectors) add(path, (data) => data.map((v, i) => v / scales[i]!));
    if (fold.outputs === undefined) continue;
    const { path, bias } = fold.outputs;
    const divided = (v: number, output: number, n: number): number =>
      output < n - k ? v : v / scales[output - (n - k)]!;
    add(path, (data, { shape }) => {
      const [rows, columns] = shape as [number, number];
      const n = kn(path) ? columns : rows;
      return data.map((v, at) => divided(v, kn(path) ? at % columns : Math.floor(at / columns), n));
    });
    if (bias !== undefined) add(bias, (data) => data.map((v, i) => divided(v, i, data.length)));
  }
  return edits;
};

/** A dense model with scales folded in: its outputs stay what they are. */
export const withFolds = (model: Model, folds: readonly Folded[]): Model => {
  if (folds.length === 0) return model;
  const infos = new Map(model.arch.linears(model.config).map((info) => [info.path, info]));
  const edits = editsOf(folds, infos);
  const weights = mapTree<Weight, Weight>(model.weights, (w, path) => {
    const own = edits.get(path);
    if (own === undefined || isPacked(w)) return w;
    const data = own.reduce((values, edit) => edit(values, w), w.data as Float32Array);
    return tensor("float32", w.shape, data);
  });
  return { ...model, weights };
};
