/**
 * Averages of a run's weights, which are less noisy than the last ones: a moving one (Polyak & Juditsky 1992,
 * https://doi.org/10.1137/0330046) or the mean of the last checkpoints (as in stochastic weight averaging,
 * Izmailov et al. 2018, https://arxiv.org/abs/1803.05407). The moving one is divided by the sum of its
 * factors, as Adam's moments are: it is a mean from the first update on, whatever its decay.
 */
import { type Tensor, tensorOf } from "../ir/tensor.ts";
import { CheckpointError, ConfigError } from "../util/errors.ts";
import { checkSame, type Tensors } from "./ranks/held.ts";
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

/** into += share * (from - into): four at a time, which takes two thirds of the time. */
const approach = (into: Float32Array, from: Float32Array, share: number): void => {
  const whole = into.length - (into.length % 4);
  for (let i = 0; i < whole; i += 4) {
    const a = into[i]!;
    const b = into[i + 1]!;
    const c = into[i + 2]!;
    const d = into[i + 3]!;
    into[i] = a + share * (from[i]! - a);
    into[i + 1] = b + share * (from[i + 1]! - b);
    into[i + 2] = c + share * (from[i + 2]! - c);
    into[i + 3] = d + share * (from[i + 3]! - d);
  }
  for (let i = whole; i < into.length; i++) into[i] = into[i]! + share * (from[i]! - into[i]!);
};

/** sum of (1 - d) d^(n - i) w_i over i = 1 ... n, divided by the sum of the factors, 1 - d^n. */
const moving = (decay: number): Average => {
  let count = 0;
  let mean: Tensors | undefined;
  return {
    updated(weights) {
      count++;
      mean ??= copyOf(weights);
      const share = (1 - decay) / (1 - decay ** count);
      for (const [path, t] of mean) {
        approach(floats(t), floats(weights.get(path)!), share);
      }
    },
    reached() {},
    weights: () => mean,
    state: () => stateOf(count, mean === undefined ? [] : [mean]),
    load(state, weights) {
      const parts = partsOf(state, weights);
      count = parts.count;
      mean = parts.sets[0];
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
