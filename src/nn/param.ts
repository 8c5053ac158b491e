/**
 * Parameters and weights. A spec says a parameter's type and how it starts; a weight is its numbers; a param
 * is its Value in a program. A weight is a dense tensor or of a kind (see kinds/): its parts, and what
 * multiplies by them.
 */
import { constant, type Value } from "../ir/op.ts";
import { type Tensor, type TensorType, zeros } from "../ir/tensor.ts";
import { rng } from "../util/rng.ts";
import { entries, mapTree, type Tree } from "../util/tree.ts";

/** How the numbers of a fresh weight start; normal is of mean 0. */
export type Init =
  | { readonly kind: "zeros" }
  | { readonly kind: "ones" }
  | { readonly kind: "normal"; readonly std: number };

/** A parameter before it has numbers: its type, and how it starts. */
export interface ParamSpec extends TensorType {
  readonly shape: readonly number[];
  readonly init: Init;
}

/** How a dense matrix lies: [K, N] (GPT-2's Conv1D) or [N, K] (torch's Linear, and embeddings). */
export type Layout = "kn" | "nk";

/** Numbers that a kind multiplies by besides a weight's parts. */
export type Attrs = Readonly<Record<string, number | readonly number[]>>;

/** A weight made of parts, whose leaves are `T`; `dtype`, `shape` and `layout` are those of the dense one. */
export interface Packed<T> extends TensorType {
  readonly shape: readonly number[];
  readonly layout: Layout;
  readonly kind: WeightKind;
  readonly parts: Readonly<Record<string, T | Packed<T>>>;
  readonly attrs?: Attrs;
}
/** A weight of a kind: its parts are tensors. */
export type PackedWeight = Packed<Tensor>;
/** The numbers of a parameter, dense or packed. */
export type Weight = Tensor | PackedWeight;
/** A model's weights by dotted path. */
export type Weights = Tree<Weight>;

/** A packed weight inside a program. */
export interface PackedParam extends Packed<Value> {
  readonly parts: Readonly<Record<string, Param>>;
  /** Training with dropout: the step's seed, and what tells this weight's draws from others. */
  readonly noise?: { readonly seed: Value; readonly site: string };
}
/** A weight inside a program: its Value, or the Values of its parts. */
export type Param = Value | PackedParam;

/** Everything that is known of one form of weights. */
export interface WeightKind {
  /** What messages call it. */
  readonly name: string;
  /** Parts that are trained; the others stay as they are. */
  readonly trained: readonly string[];
  /**
   * The axis of each part (without its number) that counts the weight's N outputs, where several weights
   * join into one by their parts; absent where they do not.
   */
  readonly outputAxes?: Readonly<Record<string, number>>;
  /**
   * Attributes of the same weight whose product is that of a float32 matrix which is made when the graph is
   * loaded; absent where the kind has no such form.
   */
  widened?(attrs: Attrs): Attrs;
  /** x [..., K] times the weight's [K, N], plus bias [N] -> [..., N]; differentiable by x. */
  multiply(x: Value, weight: PackedParam, bias?: Value): Value;
  /** Rows `ids` of the weight's [N, K] -> [...ids, K]: an embedding. */
  rows(weight: PackedParam, ids: Value): Value;
  /** The weight's numbers as a float32 tensor of its shape and layout. */
  dense(weight: PackedWeight): Tensor;
}

/** Whether a weight or a param is made of parts. */
export const isPacked = <T extends object>(w: T): w is Extract<T, { kind: unknown; parts: object }> =>
  "parts" in w;

/** The Value of a param that must be dense (norms, biases). */
export const dense = (p: Param): Value => {
  if (isPacked(p)) throw new Error(`a weight of kind ${p.kind.name} stands where a dense one is needed`);
  return p as Value;
};

/** A weight's numbers as a float32 tensor, whatever its kind. */
export const unpacked = (w: Weight): Tensor => (isPacked(w) ? w.kind.dense(w) : w);

/** A spec of float32 numbers. */
export const param = (shape: readonly number[], init: Init): ParamSpec => ({ dtype: "float32", shape, init });
/** Starts normally distributed around 0 with standard deviation `std`. */
export const normal = (std: number): Init => ({ kind: "normal", std });
/** Starts as zeros. */
export const zerosInit: Init = { kind: "zeros" };
/** Starts as ones. */
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

/** A leaf or a packed one with `fn` applied to each of its leaves, named by dotted paths. */
const mapParts = <A extends object, B>(
  w: A | Packed<A>,
  fn: (leaf: A, name: string) => B,
  name: string,
): B | Packed<B> => {
  if (!isPacked<A | Packed<A>>(w)) return fn(w as A, name);
  const { parts, ...rest } = w as Packed<A>;
  const mapped = Object.entries(parts).map(([key, part]) => [key, mapParts(part, fn, `${name}.${key}`)]);
  return { ...rest, parts: Object.fromEntries(mapped) };
};

/** Weights in a program: the Values `given` by name, and constants named by their paths for the others. */
export const asParams = (weights: Weights, given: ReadonlyMap<string, Value>, seed?: Value): Tree<Param> =>
  mapTree<Weight, Param>(weights, (w, path) => {
    const p = mapParts<Tensor, Value>(w, (t, name) => given.get(name) ?? constant(t, name), path);
    return isPacked<Param>(p) && seed !== undefined ? { ...p, noise: { seed, site: path } } : p;
  });

/** Weights as constants of a program: initializers named by their paths. */
export const asConstants = (weights: Weights): Tree<Param> => asParams(weights, new Map());

/** `weights` with the tensors of `given` in the places that they name. */
export const withTensors = (weights: Weights, given: ReadonlyMap<string, Tensor>): Weights =>
  mapTree<Weight, Weight>(weights, (w, path) =>
    mapParts<Tensor, Tensor>(w, (t, name) => given.get(name) ?? t, path),
  );

function* tensorsIn(w: Weight, name: string): Generator<[name: string, tensor: Tensor]> {
  if (!isPacked(w)) yield [name, w];
  else for (const [key, part] of Object.entries(w.parts)) yield* tensorsIn(part, `${name}.${key}`);
}

/** All tensors of a tree of weights by name; the parts of a packed one as path.part. */
export function* tensorsOf(weights: Weights): Generator<[name: string, tensor: Tensor]> {
  for (const [path, w] of entries<Weight>(weights)) yield* tensorsIn(w, path);
}

/** The tensors that training may change, by name: dense weights, and of packed ones the trained parts. */
export function* trainedTensors(weights: Weights): Generator<[name: string, tensor: Tensor]> {
  for (const [path, w] of entries<Weight>(weights)) {
    if (!isPacked(w)) yield [path, w];
    else for (const key of w.kind.trained) yield* tensorsIn(w.parts[key]!, `${path}.${key}`);
  }
}

function* denseIn(w: Weight, name: string): Generator<[name: string, tensor: Tensor]> {
  if (!isPacked(w)) yield [name, w];
  else if (w.kind.trained.length > 0) {
    for (const [key, part] of Object.entries(w.parts)) yield* denseIn(part, `${name}.${key}`);
  }
}

/** The tensors that are numbers as they are, by name: dense weights, and such parts of kinds that train. */
export function* denseTensors(weights: Weights): Generator<[name: string, tensor: Tensor]> {
  for (const [path, w] of entries<Weight>(weights)) yield* denseIn(w, path);
}

/** A tree of weights as dense tensors, whatever their kinds. */
export const denseWeights = (weights: Weights): Tree<Tensor> => mapTree<Weight, Tensor>(weights, unpacked);

/** Number of parameters, whatever form they are stored in. */
export const countParams = (weights: Weights): number => {
  let n = 0;
  for (const [, w] of entries<Weight>(weights)) n += w.shape.reduce((a, d) => a * d, 1);
  return n;
};
