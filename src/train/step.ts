/**
 * The training step as programs: forward, backward, clipping and the optimizer in one graph, or in three
 * where several gradients make an update.
 */
import { grad } from "../autodiff/grad.ts";
import { type PassPlan, passPlan } from "../engine/onePass/plan.ts";
import { isInput, type Value } from "../ir/op.ts";
import { nodesOf, type Program, trace } from "../ir/program.ts";
import type { Tensor, TensorType } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { meanLoss } from "../nn/loss.ts";
import { asParams, denseTensors, isPacked, type Param, trainedTensors, type Weight } from "../nn/param.ts";
import { detach } from "../ops/detach.ts";
import { add, mul } from "../ops/elementwise.ts";
import { sumOfSquares } from "../ops/reduce.ts";
import { clipByGlobalNorm, clipByValue, globalNorm, limited } from "../optim/clip.ts";
import { applyUpdates, chain, type Optimizer } from "../optim/transform.ts";
import { batchTotals, type MemoryOptions, type Objective } from "../tasks/objective.ts";
import type { Width } from "../tasks/task.ts";
import { ConfigError } from "../util/errors.ts";
import { entries, flatten, mapTree, type Tree } from "../util/tree.ts";
import { type Bucket, bucket, unbucketed } from "./ranks/bucket.ts";
import type { WidthOptions } from "./width.ts";

/** What a training step is made of. */
export interface StepOptions extends MemoryOptions, WidthOptions {
  readonly batch: number;
  /** The widths that rows have, where there are several: each has a graph of its own, on the same state. */
  readonly widths?: readonly Width[];
  readonly optimizer: Optimizer;
  readonly objective: Objective;
  /** Micro-batches that make an update: it is that of one batch of them all. */
  readonly accumulate?: number;
  /** Largest global norm of the gradients; absent or 0 means no clipping. */
  readonly clipNorm?: number;
  /** Largest absolute value of a gradient's element. */
  readonly clipValue?: number;
  /**
   * Whether the model's own tensors may be trained where they lie, so that large weights are not held twice:
   * the model that was given then changes.
   */
  readonly takesWeights?: boolean;
  /** Weights that stay as they are, by dotted path: they have neither gradients nor optimizer state. */
  readonly frozen?: (path: string) => boolean;
}

type Types = Tree<TensorType>;

const f32: TensorType = { dtype: "float32", shape: [] };

/** The types of the tensors that are trained, by name: a kind's trained parts as path.part. */
export const paramTypes = (
  model: Model,
  { frozen = () => false }: StepOptions,
): Record<string, TensorType> => {
  const trained: Record<string, TensorType> = {};
  for (const [path, w] of entries<Weight>(model.weights)) {
    if (!isPacked(w) || w.kind.trained.length > 0 || frozen(path)) continue;
    throw new ConfigError(`is ${w.kind.name}: no part of it is trained`, {
      tensor: path,
      hint: "freeze it, or train an adapter on it",
    });
  }
  for (const [path, { dtype, shape }] of trainedTensors(model.weights)) {
    if (!frozen(path)) trained[path] = { dtype, shape };
  }
  if (Object.keys(trained).length > 0) return trained;
  throw new ConfigError("every weight is frozen: there is nothing to train", { field: "train.freeze" });
};

/**
 * The dense tensors that stand still, by name. They are inputs of the step, which the engine reads where they
 * lie: a constant would be held once more by the engine. Packed weights are small, and constants.
 */
export const frozenTensors = (model: Model, options: StepOptions): ReadonlyMap<string, Tensor> => {
  const trained = paramTypes(model, options);
  return new Map([...denseTensors(model.weights)].filter(([name]) => !(name in trained)));
};

/** The types of `frozenTensors`. */
const frozenTypes = (model: Model, options: StepOptions): Record<string, TensorType> =>
  Object.fromEntries(
    Array.from(frozenTensors(model, options), ([name, { dtype, shape }]) => [name, { dtype, shape }]),
  );

/** What a batch's loss is made of, in a program. */
interface Given {
  readonly params: Tree<Value>;
  /** Present where weights are frozen. */
  readonly frozen?: Tree<Value>;
  readonly batch: Readonly<Record<string, Value>>;
}

/** Weights that stand still: nothing flows back to them. */
const still = (frozen: Tree<Value>): [string, Value][] =>
  Array.from(flatten<Value>(frozen), ([name, v]) => [name, detach(v)]);

/**
 * All of the model's params: those that are trained, those that stand still, and packed parts as constants.
 */
const allParams = (model: Model, { params, frozen = {}, batch }: Given): Tree<Param> =>
  asParams(model.weights, new Map([...still(frozen), ...flatten<Value>(params)]), batch.seed);

/** Gradients that an update is made of. */
export interface Parts {
  /** Ranks that each take an equal share of every micro-batch. */
  readonly ranks: number;
  /** Whether a tensor counts in the norm of the gradients, by its path; each does unless told. */
  readonly counted?: (path: string) => boolean;
}

/** The types of a rank's share of a micro-batch. */
export const batchTypes = (
  model: Model,
  options: StepOptions,
  { ranks }: Parts,
): Record<string, TensorType> => {
  const { context, target, objective } = options;
  const batch = options.batch / ranks;
  const vocab = (model.config as { vocab_size: number }).vocab_size;
  return {
    inputIds: { dtype: "int32", shape: [batch * (objective.texts ?? 1), context] },
    seed: { dtype: "int32", shape: [] },
    ...objective.inputs({ batch, context, vocab, ...(target === undefined ? {} : { target }) }),
  };
};

/** How the step stores the params: joined where the optimizer allows it. */
export const storage = (model: Model, options: StepOptions): Bucket =>
  (options.optimizer.elementwise ? bucket : unbucketed)(paramTypes(model, options));

/** A batch's loss under weights of which some are trained. */
const totalsOf = (model: Model, { objective, recompute, lossRows }: StepOptions, given: Given) => {
  const memory = { ...(recompute ? { recompute } : {}), ...(lossRows === undefined ? {} : { lossRows }) };
  return batchTotals(model, allParams(model, given), objective, given.batch, memory);
};

/** Clipping, by value and then by norm, in front of the optimizer. */
const clipped = ({ clipValue, clipNorm, optimizer }: StepOptions): Optimizer =>
  chain(
    "step",
    ...(clipValue ? [clipByValue(clipValue)] : []),
    ...(clipNorm ? [clipByGlobalNorm(clipNorm)] : []),
    optimizer,
  );

interface State {
  readonly params: Tree<Value>;
  readonly opt: Tree<Value>;
  readonly lr: Value;
  readonly step: Value;
}

const updated = (options: StepOptions, gradients: Tree<Value>, { params, opt, lr, step }: State) => {
  const [changes, next] = clipped(options).update(gradients, opt, params, { lr, step });
  return { params: applyUpdates(params, changes), opt: next, gradNorm: globalNorm(gradients) };
};

/** One program for everything: state in `params` and `opt`, results `loss` and `gradNorm`. */
export const fusedStep = (model: Model, options: StepOptions): Program => {
  const { stored: params, unpack } = storage(model, options);
  const spec = {
    params,
    opt: clipped(options).state(params),
    frozen: frozenTypes(model, options),
    batch: batchTypes(model, options, { ranks: 1 }),
    lr: f32,
    step: f32,
  };
  return trace(spec, ({ batch, frozen, ...state }) => {
    const loss = meanLoss(totalsOf(model, options, { params: unpack(state.params), frozen, batch }));
    return { ...updated(options, grad(loss, state.params) as Tree<Value>, state), loss };
  });
};

/**
 * The same but for the update: `loss`, the gradients as the params are stored (`grads`), limited to
 * `clipValue`; their norm (`limited`), and that before they were limited (`gradNorm`).
 */
export const gradientsOfMean = (model: Model, options: StepOptions): Program => {
  const { stored: params, unpack } = storage(model, options);
  const spec = {
    params,
    frozen: frozenTypes(model, options),
    batch: batchTypes(model, options, { ranks: 1 }),
  };
  const { clipValue } = options;
  return trace(spec, ({ batch, frozen, ...state }) => {
    const loss = meanLoss(totalsOf(model, options, { params: unpack(state.params), frozen, batch }));
    const found = grad(loss, state.params) as Tree<Value>;
    const grads = clipValue ? mapTree<Value, Value>(found, (g) => limited(g, clipValue)) : found;
    return { grads, loss, gradNorm: globalNorm(found), ...(clipValue ? { limited: globalNorm(grads) } : {}) };
  });
};

/**
 * What counts in a whole micro-batch: `count` []. Found before the gradients, which are then those of a mean
 * over all micro-batches and ranks. Throws ConfigError for an objective that would need the model for it.
 */
export const countStep = (model: Model, options: StepOptions): Program => {
  const spec = {
    params: paramTypes(model, options),
    frozen: frozenTypes(model, options),
    batch: batchTypes(model, options, { ranks: 1 }),
  };
  const program = trace(spec, (given) => ({ count: totalsOf(model, options, given).count }));
  const read = nodesOf(program).filter(isInput);
  if (read.every(({ attrs }) => attrs.name.startsWith("batch."))) return program;
  throw new ConfigError(`"${options.objective.name}" counts by what the model says`, {
    field: "train.objective",
    hint: "let count follow from the batch alone",
  });
};

/** A batch's loss alone, as its part of the mean: what is cut into the stages of a pipeline. */
export const lossStep = (model: Model, options: StepOptions): Program => {
  const params = paramTypes(model, options);
  const batch = batchTypes(model, options, { ranks: 1 });
  return trace({ params, frozen: frozenTypes(model, options), batch, scale: f32 }, (v) => ({
    loss: mul(totalsOf(model, options, v).total, v.scale),
  }));
};

/**
 * The first of three programs: the gradients of a rank's share of a micro-batch, as its part of the mean.
 * `scale` is 1 over what counts in all micro-batches and ranks. With `accumulate` they are added to `sums`.
 */
export const gradientStep = (model: Model, options: StepOptions, { ranks }: Parts): Program => {
  const params = paramTypes(model, options);
  const { accumulate = 1 } = options;
  const batch = batchTypes(model, options, { ranks });
  const frozen = frozenTypes(model, options);
  const spec = { params, frozen, batch, scale: f32, ...(accumulate > 1 ? { sums: params } : {}) };
  return trace(spec, (v) => {
    const loss = mul(totalsOf(model, options, v).total, v.scale);
    const grads = grad(loss, v.params) as Tree<Value>;
    if (v.sums === undefined) return { grads, loss };
    const byPath = flatten<Value>(grads);
    return { grads: mapTree<Value, Value>(v.sums, (sum, path) => add(sum, byPath.get(path)!)), loss };
  });
};

/**
 * The second: a shard's gradients, `given` by each rank, become their sum, limited to `clipValue`; with the
 * sum of their squares before (`squares`) and after that (`limited`).
 */
export const sumStep = (
  shard: Types,
  { clipValue }: StepOptions,
  { ranks, counted = () => true }: Parts,
): Program => {
  const squaresOf = (grads: Tree<Value>): Value =>
    sumOfSquares([...entries<Value>(grads)].flatMap(([path, g]) => (counted(path) ? [g] : [])));
  const given = Object.fromEntries(Array.from({ length: ranks }, (_, r) => [`r${r}`, shard]));
  return trace({ given }, (v) => {
    const parts = Object.values(v.given).map((g) => flatten<Value>(g));
    const sums = mapTree<TensorType, Value>(shard, (_, path) =>
      parts.map((part) => part.get(path)!).reduce((a, b) => add(a, b)),
    );
    const squares = squaresOf(sums);
    if (!clipValue) return ranks > 1 ? { grads: sums, squares } : { squares };
    const grads = mapTree<Value, Value>(sums, (g) => limited(g, clipValue));
    return { grads, squares, limited: squaresOf(grads) };
  });
};

/** The optimizer of a shard, behind `sumStep`. */
const shardOptimizer = (options: StepOptions): Optimizer => clipped({ ...options, clipValue: 0 });

/** The types of a shard's optimizer state. */
export const shardStateTypes = (shard: Types, options: StepOptions): Types =>
  shardOptimizer(options).state(shard);

/** The third: updates a shard of the params, `whole` or of several, by its gradients and the norm of all. */
export const updateStep = (shard: Types, options: StepOptions, whole: boolean): Program => {
  const state = { params: shard, opt: shardStateTypes(shard, options) };
  return trace(
    { ...state, grads: shard, gradNorm: f32, lr: f32, step: f32 },
    ({ params, opt, grads, gradNorm, lr, step }) => {
      const context = { lr, step, ...(whole ? {} : { shard: { updates: grads, norm: gradNorm } }) };
      const [changes, next] = shardOptimizer(options).update(grads, opt, params, context);
      return { params: applyUpdates(params, changes), opt: next };
    },
  );
};

/** `updateStep` in passes; undefined where the optimizer does not treat each element by itself. */
export const updatePasses = (shard: Types, options: StepOptions): PassPlan | undefined => {
  if (!options.optimizer.elementwise) return undefined;
  try {
    return passPlan(updateStep(shard, options, false));
  } catch (error) {
    // One that clips what it has changed before needs a norm that is not known yet.
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
};
