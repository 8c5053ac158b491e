/**
 * Optimizers as pure transforms of updates (gradients in, steps out), traced into the training step and
 * composed, after optax (https://optax.readthedocs.io). Unlike there, an update may be an unevaluated sum
 * (`update.ts`), and all state starts at zero, so that a trainer allocates it from its types.
 */
import type { Value } from "../ir/op.ts";
import { shapeText, type TensorType } from "../ir/tensor.ts";
import { ConfigError, ShapeError } from "../util/errors.ts";
import { entries, flatten, mapTree, type Tree, unflatten } from "../util/tree.ts";
import { materialize, total, type Update, type Updates } from "./update.ts";

/** Params of a step: float32, of fixed shapes. */
export type Params = Tree<Value>;
/** The types of params by dotted path. */
export type ParamTypes = Tree<TensorType>;

/** What changes from step to step: inputs of the graph, never baked in. */
export interface UpdateContext {
  /** [] float32: the learning rate of this step. */
  readonly lr: Value;
  /** [] float32: number of this update; 1 at the first. */
  readonly step: Value;
  /** Where these updates are one shard of all: the shard, and the global norm of all -> []. */
  readonly shard?: { readonly updates: Updates; readonly norm: Value };
}

/** A step on the way from gradients to what is added to the params, traced into the training step. */
export interface Transform<S extends Tree<Value> = Tree<Value>> {
  readonly name: string;
  /**
   * Whether each element is treated by itself, apart from one factor for all: then a trainer may join params
   * into long tensors, matrices apart from the rest.
   */
  readonly elementwise?: boolean;
  /** The types of the state for params of these types; every state starts at zero. */
  state(params: ParamTypes): Tree<TensorType>;
  /** The next updates and state; `params` are those before the step. */
  update(updates: Updates, state: S, params: Params, context: UpdateContext): [updates: Updates, state: S];
}

/** A transform whose updates are ready to be added to the params. */
export type Optimizer = Transform;

/** Which params a transform concerns, by dotted path and type. */
export type ParamMask = (path: string, type: TensorType) => boolean;

/** The mask of matrices and embeddings: at least two dimensions, so neither norms nor biases. */
export const isMatrix: ParamMask = (_, type) => type.shape.length >= 2;

/** params + updates. */
export const applyUpdates = (params: Params, updates: Updates): Params =>
  mapUpdates(updates, params, (update, param) => materialize(total(param, update))) as Params;

/** Maps each update together with the param of the same path. */
export const mapUpdates = (
  updates: Updates,
  params: Params,
  fn: (update: Update, param: Value, path: string) => Update,
): Updates => {
  const byPath = flatten<Value>(params);
  return mapTree<Update, Update>(updates, (update, path) => {
    const param = byPath.get(path);
    if (param === undefined) throw new ShapeError("an update without a param", { tensor: path });
    return fn(update, param, path);
  });
};

/** State of one tensor for each param; throws ShapeError unless all are float32 of fixed shapes. */
export const stateLike = (params: ParamTypes): ParamTypes =>
  mapTree<TensorType, TensorType>(params, ({ dtype, shape }, path) => {
    if (dtype !== "float32" || shape.some((d) => typeof d === "string")) {
      throw new ShapeError(`is ${dtype}${shapeText(shape)}; an optimizer needs float32 of a fixed shape`, {
        tensor: path,
        hint: "train a float32 copy, and convert or quantize it afterwards",
      });
    }
    return { dtype, shape };
  });

/** A transform without state, from a function on each update and its param. */
export const stateless = (
  name: string,
  fn: (update: Update, param: Value, context: UpdateContext) => Update,
  { elementwise = true }: { readonly elementwise?: boolean } = {},
): Transform => ({
  name,
  elementwise,
  state: () => ({}),
  update: (updates, state, params, context) => [
    mapUpdates(updates, params, (update, param) => fn(update, param, context)),
    state,
  ],
});

type Parts<A> = Readonly<Record<string, Tree<A>>>;

const partOf = (state: Tree<Value>, key: string): Tree<Value> => (state as Parts<Value>)[key]!;

/**
 * Applies `transforms` one after another; the state of each stands under its name (with its place where one
 * repeats).
 */
export const chain = (name: string, ...transforms: readonly Transform[]): Transform => {
  const names = transforms.map((t) => t.name);
  const keys = names.map((n, i) => (names.indexOf(n) === i ? n : `${n}${i}`));
  return {
    name,
    elementwise: transforms.every((t) => t.elementwise === true),
    state: (params) => Object.fromEntries(transforms.map((t, i) => [keys[i]!, t.state(params)])),
    update(updates, state, params, context) {
      let current = updates;
      const next: Record<string, Tree<Value>> = {};
      transforms.forEach((t, i) => {
        const key = keys[i]!;
        [current, next[key]] = t.update(current, partOf(state, key), params, context);
      });
      return [current, next];
    },
  };
};

/**
 * The leaves that `keep` chooses by path, under their dotted paths: the names of the state stay those of the
 * params.
 */
const pick = <A>(tree: Tree<A>, keep: (path: string) => boolean): Record<string, A> =>
  Object.fromEntries([...entries<A>(tree)].filter(([path]) => keep(path)));

/** Applies `transform` to the params of `mask` only; the other updates pass unchanged, and have no state. */
export const masked = (transform: Transform, mask: ParamMask): Transform => {
  const choose = (params: ParamTypes) => {
    const chosen = pick<TensorType>(params, () => true);
    return (path: string): boolean => mask(path, chosen[path]!);
  };
  return {
    name: transform.name,
    elementwise: transform.elementwise === true && mask === isMatrix,
    state: (params) => transform.state(pick(params, choose(params))),
    update(updates, state, params, context) {
      const keep = choose(params);
      const some = pick<Update>(updates, keep);
      const [next, nextState] = transform.update(some, state, pick<Value>(params, keep), context);
      const byPath = flatten<Update>(next);
      return [unflatten<Update, Update>(updates, byPath, (_, update) => update), nextState];
    },
  };
};

/**
 * Gives each param to the transform that `labelOf` names; the state of each transform stands under its label.
 * Throws ConfigError for a label without a transform.
 */
export const partition = <L extends string>(
  name: string,
  transforms: Readonly<Record<L, Transform>>,
  labelOf: (path: string, type: TensorType) => L,
): Transform => {
  const checked = (path: string, type: TensorType): L => {
    const label = labelOf(path, type);
    if (label in transforms) return label;
    throw new ConfigError(`the label "${label}" names no transform of ${name}`, { tensor: path });
  };
  const parts = (Object.entries(transforms) as [L, Transform][]).map(
    ([label, transform]) =>
      [label, masked(transform, (path, type) => checked(path, type) === label)] as const,
  );
  return {
    name,
    state: (params) => Object.fromEntries(parts.map(([label, t]) => [label, t.state(params)])),
    update(updates, state, params, context) {
      let current = updates;
      const next: Record<string, Tree<Value>> = {};
      for (const [label, t] of parts) {
        [current, next[label]] = t.update(current, partOf(state, label), params, context);
      }
      return [current, next];
    },
  };
};
