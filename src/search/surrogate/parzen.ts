/**
 * Where configurations lie, as a mixture of a product of kernels at each and a flat one over the whole space:
 * Parzen estimators of TPE, with the bandwidths of Optuna 5 (Watanabe 2023, https://arxiv.org/abs/2304.11127).
 * We deviate in conditions: a kernel knows nothing of a parameter that its configuration lacks, and is flat
 * there, where Optuna splits the space into groups.
 */
import type { Rng } from "../../util/rng.ts";
import { decided, type Param, type Scalar, type Space, type Values } from "../space/space.ts";
import { logDensity, logMass, logSum } from "./normal.ts";

/** An index drawn by weights that sum to 1. */
const drawn = (weights: readonly number[], random: Rng): number => {
  let left = random.uniform();
  for (const [i, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return i;
  }
  return weights.length - 1;
};

/** The density of one parameter at each kernel. */
interface Axis {
  /** log densities of a value, one a kernel. */
  at(value: Scalar): Float64Array;
  sample(kernel: number, random: Rng): Scalar;
}

const choiceAxis = (choices: readonly Scalar[], observed: readonly (Scalar | undefined)[]): Axis => {
  const kernels = observed.length + 1;
  const flat = 1 / kernels;
  const row = (kernel: number): number[] => {
    const weights = choices.map((c) => flat + (kernel < observed.length && c === observed[kernel] ? 1 : 0));
    const sum = weights.reduce((a, b) => a + b, 0);
    return weights.map((w) => w / sum);
  };
  const rows = Array.from({ length: kernels }, (_, k) => row(k));
  return {
    at: (value) => {
      const index = choices.indexOf(value);
      return Float64Array.from(rows, (weights) => Math.log(weights[index]!));
    },
    sample: (kernel, random) => choices[drawn(rows[kernel]!, random)]!,
  };
};

/** A numeric parameter's range, and how its values become numbers there. */
interface Scale {
  readonly low: number;
  readonly high: number;
  /** Distance between values: 0 where there is none. */
  readonly step: number;
  readonly log: boolean;
  of(value: Scalar): number;
  value(x: number): Scalar;
}

const scaleOf = (param: Param): Scale => {
  if (param.kind === "categorical") {
    const { choices } = param;
    const [low, high] = [-0.5, choices.length - 0.5];
    return {
      ...{ low, high, step: 1, log: false },
      of: (value) => choices.indexOf(value),
      value: (x) => choices[Math.min(choices.length - 1, Math.max(0, Math.round(x)))]!,
    };
  }
  const { kind, log = false } = param;
  const step = kind === "integer" ? 1 : 0;
  const [a, b] = [param.low - step / 2, param.high + step / 2];
  return {
    ...{ step, log, low: log ? Math.log(a) : a, high: log ? Math.log(b) : b },
    of: (value) => (log ? Math.log(Number(value)) : Number(value)),
    value: (x) => {
      const raw = log ? Math.exp(x) : x;
      return Math.min(param.high, Math.max(param.low, step > 0 ? Math.round(raw) : raw));
    },
  };
};

/** As far as each one's further neighbour, within a share of the range; at an end as far as the only one. */
const widthsOf = (at: readonly number[], { low, high }: Scale): number[] => {
  const order = at.map((_, i) => i).sort((i, j) => at[i]! - at[j]!);
  const sorted = [low, ...order.map((i) => at[i]!), high];
  const range = high - low;
  const least = range / Math.min(100, 2 + at.length);
  const widths = at.map(() => 0);
  for (const [k, i] of order.entries()) {
    const [before, after] = [sorted[k + 1]! - sorted[k]!, sorted[k + 2]! - sorted[k + 1]!];
    const ends = at.length > 1 && (k === 0 || k === at.length - 1);
    const width = ends ? (k === 0 ? after : before) : Math.max(before, after);
    widths[i] = Math.min(range, Math.max(least, width));
  }
  return widths;
};

const numberAxis = (param: Param, observed: readonly (Scalar | undefined)[]): Axis => {
  const scale = scaleOf(param);
  const { low, high, step, log } = scale;
  const known = observed.filter((v) => v !== undefined).map((v) => scale.of(v));
  const widths = widthsOf(known, scale);
  let next = 0;
  const flat = { mean: (low + high) / 2, width: high - low };
  const kernels = [
    ...observed.map((v) => (v === undefined ? flat : { mean: known[next]!, width: widths[next++]! })),
    flat,
  ].map((k) => ({ ...k, mass: logMass((low - k.mean) / k.width, (high - k.mean) / k.width) }));
  const edges = (value: Scalar): readonly [number, number] => {
    if (!log) return [scale.of(value) - step / 2, scale.of(value) + step / 2];
    return [Math.log(Number(value) - step / 2), Math.log(Number(value) + step / 2)];
  };
  return {
    at(value) {
      const x = scale.of(value);
      if (step === 0) {
        return Float64Array.from(kernels, ({ mean, width, mass }) =>
          width === 0 ? 0 : logDensity((x - mean) / width) - Math.log(width) - mass,
        );
      }
      const [a, b] = edges(value);
      return Float64Array.from(
        kernels,
        ({ mean, width, mass }) => logMass((a - mean) / width, (b - mean) / width) - mass,
      );
    },
    sample(kernel, random) {
      const { mean, width } = kernels[kernel]!;
      // The mean lies in the range and the width is at most that: a third of the draws is within, or more.
      for (;;) {
        const x = mean + width * random.normal();
        if (x >= low && x <= high) return scale.value(x);
      }
    },
  };
};

/** A density over configurations. */
export interface Density {
  /** log density of a configuration. */
  logAt(values: Values): number;
  sample(random: Rng): Values;
}

/**
 * A density from `observed` configurations, whose kernels weigh `weights`; the flat one weighs 1.
 */
export const parzen = (space: Space, observed: readonly Values[], weights: readonly number[]): Density => {
  const total = weights.reduce((a, b) => a + b, 1);
  const shares = [...weights, 1].map((w) => w / total);
  const logShares = shares.map(Math.log);
  const axes = new Map(
    Object.entries(space).map(([name, param]) => {
      const seen = observed.map((values) => values[name]);
      const plain = param.kind === "categorical" && !param.ordered;
      return [name, plain ? choiceAxis(param.choices, seen) : numberAxis(param, seen)] as const;
    }),
  );
  return {
    logAt(values) {
      const sums = Float64Array.from(logShares);
      for (const [name, value] of Object.entries(values)) {
        const at = axes.get(name)!.at(value);
        for (let k = 0; k < sums.length; k++) sums[k]! += at[k]!;
      }
      return logSum(Array.from(sums));
    },
    sample(random) {
      const kernel = drawn(shares, random);
      return decided(space, (name) => axes.get(name)!.sample(kernel, random));
    },
  };
};
