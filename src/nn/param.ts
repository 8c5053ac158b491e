/**
 * Parameters and weights. A spec says a parameter's type and how it starts; a weight is its numbers; a param
 * is its Value in a program. A weight has a kind: dense, or packed (int8, int4 block); only `nn/linear` and
 * `nn/embedding` ask which.
 */
import { constant, type Value } from "../ir/op.ts";
import { type Tensor, type TensorType, zeros } from "../ir/tensor.ts";
import { rng } from "../util/rng.ts";
import { entries, mapTree, type Tree } from "../util/tree.ts";

export type Init =
  | { readonly kind: "zeros" }
  | { readonly kind: "ones" }
  | { readonly kind: "normal"; readonly std: number };

export interface ParamSpec extends TensorType {
  readonly shape: readonly number[];
  readonly init: Init;
}

/**
 * A weight stored in another form than a dense float32 tensor; `dtype` and `shape` are those of the dense
 * one.
 */
export interface PackedWeight extends TensorType {
  readonly shape: readonly number[];
  readonly kind: "int8" | "int4";
  readonly parts: Readonly<Record<string, Tensor>>;
}
export type Weight = Tensor | PackedWeight;
export type Weights = Tree<Weight>;

/** A packed weight inside a program. */
export interface PackedParam extends TensorType {
  readonly kind: PackedWeight["kind"];
  readonly parts: Readonly<Record<string, Value>>;
}
export type Param = Value | PackedParam;

export const isPacked = <T extends object>(w: T): w is Extract<T, { kind: string; parts: object }> =>
  "parts" in w;

/** The Value of a param that must be dense (norms, biases). */
export const dense = (p: Param): Value => {
  if (isPacked(p)) throw new Error(`a ${p.kind} weight stands where a dense one is needed`);
  return p as Value;
};

/** A spec of float32 numbers. */
export const param = (shape: readonly number[], init: Init): ParamSpec => ({ dtype: "float32", shape, init });
export const normal = (std: number): Init => ({ kind: "normal", std });
export const zerosInit: Init = { kind: "zeros" };
export const onesInit: Init = { kind: "ones" };

const fill = (spec: ParamSpec, seed: number, path: string): Tensor => {
  const t = zeros(spec);
  const data = t.data as Float32Array;
  if (spec.init.kind === "ones") data.fill(1);
  if (spec.init.kind === "normal") {
    const random = rng(seed, `init/${path}`);
    for (let i = 0; i < data.length; i++) data[i] = spec.init.std * random.normal();
  }
  return t;
};

/** Fresh weights for a tree of specs; each tensor is a pure function of the seed and its path. */
export const initialize = (specs: Tree<ParamSpec>, seed: number): Tree<Tensor> =>
  mapTree<ParamSpec, Tensor>(specs, (spec, path) => fill(spec, seed, path));

/** Weights as constants of a program: initializers named by their paths. */
export const asConstants = (weights: Weights): Tree<Param> =>
  mapTree<Weight, Param>(weights, (w, path) => {
    if (!isPacked(w)) return constant(w, path);
    const parts = Object.entries(w.parts).map(([key, t]) => [key, constant(t, `${path}.${key}`)] as const);
    return { dtype: w.dtype, shape: w.shape, kind: w.kind, parts: Object.fromEntries(parts) };
  });

/** All tensors of a tree of weights by name; the parts of a packed one as path.part. */
export function* tensorsOf(weights: Weights): Generator<[name: string, tensor: Tensor]> {
  for (const [path, w] of entries<Weight>(weights)) {
    if (!isPacked(w)) yield [path, w];
    else for (const [key, t] of Object.entries(w.parts)) yield [`${path}.${key}`, t];
  }
}

/** Number of parameters, whatever form they are stored in. */
export const countParams = (weights: Weights): number => {
  let n = 0;
  for (const [, w] of entries<Weight>(weights)) n += w.shape.reduce((a, d) => a * d, 1);
  return n;
};
