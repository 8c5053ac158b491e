/** What a rank holds: the params and gradients of every shard, and the optimizer's state of its own. */
import type { Feeds } from "../../engine/engine.ts";
import { NEXT } from "../../formats/onnx/lower.ts";
import { sameShape } from "../../ir/shape.ts";
import { shapeText, type Tensor, type TensorType, zeros } from "../../ir/tensor.ts";
import { CheckpointError } from "../../util/errors.ts";
import { entries } from "../../util/tree.ts";
import type { Bucket } from "./bucket.ts";
import type { Parcel } from "./collective.ts";
import type { Shard } from "./shards.ts";

/** Tensors by path. */
export type Tensors = ReadonlyMap<string, Tensor>;

/** A shard: the tensors as its bucket stores them. */
export interface Held {
  readonly bucket: Bucket;
  params: Tensors;
  grads: Tensors;
}

/** Tensors as feeds, their paths behind a prefix. */
export const prefixed = (prefix: string, tensors: Tensors): Feeds =>
  Object.fromEntries(Array.from(tensors, ([path, t]) => [`${prefix}.${path}`, t]));

/** The types that a bucket stores, by path. */
export const typesOf = ({ stored }: Bucket): [string, TensorType][] => [...entries<TensorType>(stored)];

/** Makes a tensor of zeros, somewhere. */
export type Zeros = (type: TensorType) => Tensor;

/** Tensors of zeros. */
export const allocate = (
  types: Iterable<readonly [string, TensorType]>,
  make: Zeros = zeros,
): Map<string, Tensor> => new Map(Array.from(types, ([path, type]) => [path, make(type)]));

/** The numbers of float32 tensors, in their order. */
export const numbers = (tensors: Tensors): Float32Array[] =>
  Array.from(tensors.values(), (t) => t.data as Float32Array);

/** What a rank holds of a shard. */
export interface HoldingOptions {
  /** Params that are stored as they are lie where these do. */
  readonly taken?: Tensors;
  /** Whether there is room for its gradients. */
  readonly grads?: boolean;
  /** Makes what is not taken. */
  readonly make?: Zeros;
}

/** A shard of zeros. */
export const holding = (
  bucket: Bucket,
  { taken = new Map(), grads = true, make = zeros }: HoldingOptions = {},
): Held => ({
  bucket,
  params: new Map(typesOf(bucket).map(([path, type]) => [path, taken.get(path) ?? make(type)])),
  grads: grads ? allocate(typesOf(bucket), make) : new Map(),
});

/** A bucket's stored tensors from their numbers. */
export const tensorsOf = (bucket: Bucket, arrays: Parcel): Map<string, Tensor> =>
  new Map(
    typesOf(bucket).map(([path, { dtype, shape }], i) => [
      path,
      { dtype, shape: shape as readonly number[], data: arrays[i]! },
    ]),
  );

/** Takes gradients and params back that another rank had, in the order in which they were sent. */
export const takeBack = (held: Held, parcel: Parcel): void => {
  const half = parcel.length / 2;
  held.grads = tensorsOf(held.bucket, parcel.slice(0, half));
  held.params = tensorsOf(held.bucket, parcel.slice(half));
};

const typeText = ({ dtype, shape }: TensorType): string => `${dtype}${shapeText(shape)}`;

/** Throws CheckpointError unless `source` has each of `tensors`, of the same type. */
export const checkHas = (tensors: Tensors, source: Tensors): void => {
  const hint = "load what the same model and optimizer have saved";
  for (const [path, t] of tensors) {
    const from = source.get(path);
    if (from === undefined) {
      throw new CheckpointError("is missing from the state to load", { tensor: path, hint });
    }
    if (from.dtype !== t.dtype || !sameShape(from.shape, t.shape) || from.data.length !== t.data.length) {
      throw new CheckpointError(`is ${typeText(from)} in the state to load, and ${typeText(t)} here`, {
        tensor: path,
        hint,
      });
    }
  }
};

/** As `checkHas`, and unless `source` has nothing else. */
export const checkSame = (tensors: Tensors, source: Tensors): void => {
  checkHas(tensors, source);
  const other = [...source.keys()].find((path) => !tensors.has(path));
  if (other === undefined) return;
  throw new CheckpointError("is in the state to load, and not in what trains", {
    tensor: other,
    hint: "load what the same model and optimizer have saved",
  });
};

/** Copies the numbers of `source` into `tensors`, all or none. Throws as `checkHas`. */
export const fillWith = (tensors: Tensors, source: Tensors): void => {
  checkHas(tensors, source);
  for (const [path, t] of tensors) (t.data as Float32Array).set(source.get(path)!.data as Float32Array);
};

/** Views of stored tensors under a prefix, made once for as long as those stay the same. */
export const viewer = () => {
  const known = new WeakMap<Tensors, Map<string, Feeds>>();
  return (prefix: string, { view }: Bucket, stored: Tensors): Feeds => {
    const views = known.get(stored) ?? new Map<string, Feeds>();
    known.set(stored, views);
    const made = views.get(prefix) ?? prefixed(prefix, view(stored));
    views.set(prefix, made);
    return made;
  };
};

/** The own shard's params and optimizer state, as `updateStep` reads and writes them. */
export interface ShardState {
  opt(): Tensors;
  feeds(): Feeds;
  fetches(): Feeds;
  /** The update has been written: what was next is present. */
  advance(): void;
}

/**
 * A shard's state: what cannot be updated where it lies (`inPlace`) has a second set of tensors to be written
 * into.
 */
export const shardState = (
  own: Held,
  plan: { readonly opt: Shard; readonly inPlace: readonly string[] | "all" },
  make: Zeros = zeros,
): ShardState => {
  const { inPlace } = plan;
  const isSafe = (name: string): boolean => inPlace === "all" || inPlace.includes(name);
  const second = (prefix: string, tensors: Tensors): Tensors =>
    new Map(Array.from(tensors, ([path, t]) => [path, isSafe(`${prefix}.${path}`) ? t : zeros(t)]));
  let opt: Tensors = allocate(Object.entries(plan.opt), make);
  let [nextOpt, nextParams] = [second("opt", opt), second("params", own.params)];
  return {
    opt: () => opt,
    feeds: () => ({ ...prefixed("params", own.params), ...prefixed("opt", opt) }),
    fetches: () => {
      const next = { ...prefixed("params", nextParams), ...prefixed("opt", nextOpt) };
      return Object.fromEntries(Object.entries(next).map(([name, t]) => [name + NEXT, t]));
    },
    advance() {
      [opt, nextOpt] = [nextOpt, opt];
      [own.params, nextParams] = [nextParams, own.params];
    },
  };
};
