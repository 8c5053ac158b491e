/**
 * Averages of a run's weights, which are less noisy than the last ones: a moving one (Polyak & Juditsky 1992,
 * https://doi.org/10.1137/0330046) or the mean of the last checkpoints (as in stochastic weight averaging,
 * Izmailov et al. 2018, https://arxiv.org/abs/1803.05407). The moving one is divided by the sum of its
 * factors, as Adam's moments are: it is a mean from the first update on, whatever its decay.
 */
import { openPasses } from "../engine/onePass/passes.ts";
import { passPlan } from "../engine/onePass/plan.ts";
import { NEXT } from "../formats/onnx/lower.ts";
import type { Value } from "../ir/op.ts";
import { trace } from "../ir/program.ts";
import { scalar, type Tensor, type TensorType, tensorOf } from "../ir/tensor.ts";
import { add, mul, sub } from "../ops/elementwise.ts";
import { CheckpointError, ConfigError } from "../util/errors.ts";
import { mapTree } from "../util/tree.ts";
import { checkSame, fillWith, prefixed, type Tensors } from "./ranks/held.ts";
import { under } from "./stepper.ts";

/** How weights are averaged: one of the two. */
export interface Averaging {
  /** Factor on the weights of each update from one update to the next, above 0 and below 1. */
  readonly ema?: number;
  /** The mean of the weights at so many of the last checkpoints. */
  readonly last?: number;
}

/** An average that grows with a run. */
export interface Average {
  /** Takes in the weights behind an update. */
  updated(weights: Tensors): void;
  /** Takes in the weights at a checkpoint. */
  reached(weights: Tensors): void;
  /** The averaged weights, which later calls may overwrite; undefined before there is anything to average. */
  weights(): Tensors | undefined;
  /** All of it, as a checkpoint holds it. */
  state(): Tensors;
  /** Goes on from a state. Throws CheckpointError where it is of other weights. */
  load(state: Tensors, weights: Tensors): void;
}

const COUNT = "count";

const copyOf = (weights: Tensors): Map<string, Tensor> =>
  new Map(Array.from(weights, ([path, t]) => [path, { ...t, data: t.data.slice() }]));

const floats = ({ data }: Tensor): Float32Array => data as Float32Array;

/** The parts of a state: how many updates it is of, and sets of weights by their numbers. */
const stateOf = (count: number, sets: readonly Tensors[]): Tensors =>
  new Map([
    [COUNT, tensorOf("int32", [1], [count])],
    ...sets.flatMap((set, i) => Array.from(set, ([path, t]): [string, Tensor] => [`${i}.${path}`, t])),
  ]);

/** What `stateOf` made. Throws CheckpointError for sets that are not of these weights. */
const partsOf = (state: Tensors, weights: Tensors): { count: number; sets: Tensors[] } => {
  const count = Number(state.get(COUNT)?.data[0]);
  if (!(count >= 0)) throw new CheckpointError("is missing from the average", { tensor: COUNT });
  const numbers = new Set(Array.from(state.keys(), (name) => name.split(".")[0]!));
  numbers.delete(COUNT);
  const sets = Array.from({ length: numbers.size }, (_, i) => copyOf(under(`${i}.`, state)));
  for (const set of sets) checkSame(weights, set);
  return { count, sets };
};

/** What moves a mean towards weights: mean += share * (weights - mean), in one pass. */
interface Approach {
  readonly mean: Tensors;
  by(weights: Tensors, share: number): void;
}

/** A mean of such weights, which begins as `first`. */
const approach = (first: Tensors): Approach => {
  const types = Object.fromEntries(
    Array.from(first, ([path, t]) => [path, { dtype: t.dtype, shape: [t.data.length] }]),
  );
  const share: TensorType = { dtype: "float32", shape: [] };
  const program = trace({ mean: types, weights: types, share }, (v) => ({
    mean: mapTree<Value, Value>(v.mean, (mean, path) => {
      return add(mean, mul(sub((v.weights as Record<string, Value>)[path]!, mean), v.share));
    }),
  }));
  const passes = openPasses(passPlan(program)!, Object.values(types));
  const mean = new Map(
    Array.from(first, ([path, t]) => [path, { ...t, data: passes.zeros(types[path]!).data }]),
  );
  fillWith(mean, first);
  const own = prefixed("mean", mean);
  const next = Object.fromEntries(Object.entries(own).map(([name, t]) => [name + NEXT, t]));
  return {
    mean,
    by: (weights, share) =>
      passes.run({ ...own, ...prefixed("weights", weights), share: scalar(share) }, next),
  };
};

/** sum of (1 - d) d^(n - i) w_i over i = 1 ... n, divided by the sum of the factors, 1 - d^n. */
const moving = (decay: number): Average => {
  let count = 0;
  let moved: Approach | undefined;
  return {
    updated(weights) {
      count++;
      moved ??= approach(weights);
      moved.by(weights, (1 - decay) / (1 - decay ** count));
    },
    reached() {},
    weights: () => moved?.mean,
    state: () => stateOf(count, moved === undefined ? [] : [moved.mean]),
    load(state, weights) {
      const parts = partsOf(state, weights);
      count = parts.count;
      moved = parts.sets[0] && approach(parts.sets[0]);
    },
  };
};

/** The mean of weights of several times. */
const meanOf = ([first, ...rest]: readonly Tensors[]): Tensors =>
  new Map(
    Array.from(first!, ([path, t]) => {
      const others = rest.map((set) => floats(set.get(path)!));
      const data = floats(t).map((x, i) => others.reduce((sum, o) => sum + o[i]!, x) / (1 + others.length));
      return [path, { ...t, data }];
    }),
  );

const ofLast = (last: number): Average => {
  let sets: Tensors[] = [];
  let count = 0;
  return {
    updated() {},
    reached(weights) {
      count++;
      sets = [...sets, copyOf(weights)].slice(-last);
    },
    weights: () => (sets.length === 0 ? undefined : meanOf(sets)),
    state: () => stateOf(count, sets),
    load(state, weights) {
      ({ count, sets } = partsOf(state, weights));
    },
  };
};

/** An average of nothing yet. Throws ConfigError for numbers out of range, and for both kinds at once. */
export const averaging = ({ ema, last }: Averaging): Average => {
  if (ema !== undefined && last !== undefined) {
    throw new ConfigError("is set beside train.ema: weights are averaged in one way", {
      field: "train.averageLast",
      hint: "leave out --ema or --average-last",
    });
  }
  if (ema !== undefined) {
    if (ema > 0 && ema < 1) return moving(ema);
    throw new ConfigError(`must be above 0 and below 1, not ${ema}`, { field: "train.ema" });
  }
  if (last !== undefined && Number.isSafeInteger(last) && last >= 1) return ofLast(last);
  throw new ConfigError(`must be a whole number of at least 1, not ${last}`, { field: "train.averageLast" });
};
