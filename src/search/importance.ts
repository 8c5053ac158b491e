/**
 * Which parameters decided what was good: PED-ANOVA (Watanabe et al. 2023, https://arxiv.org/abs/2304.10255;
 * with conditions, https://arxiv.org/abs/2601.20800), as Optuna 5 has it. A parameter is important where the
 * best tenth of the trials has other values of it than all trials have.
 */
import { bestOf } from "./samplers/tpe.ts";
import { choicesOf } from "./space/configurations.ts";
import type { Param, Scalar, Space } from "./space/space.ts";
import { logMass } from "./surrogate/normal.ts";
import { isMeasured, type Measured, type Trial } from "./trial.ts";

/** Values that a number is counted in. */
const STEPS = 50;
const QUANTILE = 0.1;
/** Trials that a parameter has to be there in. */
const LEAST = 2;

/** How often each value occurs, a number's in at most 50 steps. */
const countsOf = (param: Param, values: readonly Scalar[]): number[] => {
  if (param.kind === "categorical") {
    return param.choices.map((choice) => values.filter((v) => v === choice).length);
  }
  const { kind, log = false } = param;
  const size = kind === "integer" ? param.high - param.low + 1 : STEPS;
  const steps = Math.min(STEPS, kind === "integer" && log ? Math.ceil(Math.log2(size)) + 1 : size);
  const scale = (x: number): number => (log ? Math.log(x) : x);
  const [low, high] = [scale(param.low), scale(param.high)];
  const counts = Array.from({ length: steps }, () => 0);
  for (const value of values) {
    const at = Math.ceil((scale(Number(value)) - low) / ((high - low) / (steps - 1)) - 0.5);
    counts[Math.min(steps - 1, Math.max(0, at))]! += 1;
  }
  return counts;
};

/** Where the counts reach `share` of their sum, as a place among the values that occur. */
const quartile = (weights: readonly number[], at: number, after: boolean): number => {
  let sum = 0;
  const index = weights.findIndex((weight) => {
    sum += weight;
    return after ? sum > at : sum >= at;
  });
  return index < 0 ? weights.length - 1 : index;
};

/** A kernel's width by Scott's rule. */
const scott = (places: readonly number[], weights: readonly number[]): number => {
  const total = weights.reduce((a, b) => a + b, 0);
  const mean = places.reduce((sum, x, i) => sum + x * weights[i]!, 0) / total;
  const squares = places.reduce((sum, x, i) => sum + weights[i]! * (x - mean) ** 2, 0);
  const sd = Math.sqrt(squares / Math.max(1, total - 1));
  const first = places[quartile(weights, Math.floor(total / 4), false)]!;
  const third = places[quartile(weights, Math.floor((total * 3) / 4), true)]!;
  const width = 1.059 * Math.min((third - first) / 1.34, sd) * total ** -0.2;
  return Math.max(width, 0.5 / 1.64);
};

/** Probability of each value, from the counts and a flat share of 1. */
const probabilities = (param: Param, counts: readonly number[]): number[] => {
  const places = counts.flatMap((n, i) => (n > 0 ? [i] : []));
  const weights = places.map((i) => counts[i]!);
  const total = weights.reduce((a, b) => a + b, 1);
  const grid = counts.map((_, i) => i);
  if (param.kind === "categorical" && !param.ordered) {
    const flat = 1 / (places.length + 1);
    const rest = 1 + flat * counts.length;
    const near = (x: number, i: number): number => (flat + (x === i ? 1 : 0)) / rest;
    return grid.map((x) => {
      const sum = places.reduce((s, i, k) => s + (weights[k]! / total) * near(x, i), 0);
      return sum + 1 / total / counts.length;
    });
  }
  const high = counts.length - 1;
  const width = scott(places, weights);
  const mass = (x: number, mean: number, sd: number): number =>
    Math.exp(
      logMass((x - 0.5 - mean) / sd, (x + 0.5 - mean) / sd) -
        logMass((-0.5 - mean) / sd, (high + 0.5 - mean) / sd),
    );
  return grid.map((x) => {
    const sum = places.reduce((s, i, k) => s + (weights[k]! / total) * mass(x, i, width), 0);
    return sum + mass(x, high / 2, high + 1) / total;
  });
};

/** Pearson's divergence of the best trials' values from those of all. */
const divergence = (param: Param, best: readonly Scalar[], all: readonly Scalar[]): number => {
  const top = probabilities(param, countsOf(param, best)).map((p) => p + 1e-12);
  const base = probabilities(param, countsOf(param, all)).map((p) => p + 1e-12);
  return base.reduce((sum, p, i) => sum + p * (top[i]! / p - 1) ** 2, 0);
};

/** The best tenth: of one objective all that are as good as the last of it. */
const topOf = (trials: readonly Measured[]): Measured[] => {
  const size = Math.ceil(QUANTILE * trials.length);
  const best = bestOf(trials, size);
  if (best[0]?.objectives.length !== 1) return best;
  const cut = best.at(-1)!.objectives[0]!;
  return trials.filter(({ objectives }) => objectives[0]! <= cut);
};

/** PED-ANOVA of each parameter of the space over the complete trials: 0 where it decided nothing. */
export const pedAnova = (space: Space, trials: readonly Trial[]): Record<string, number> => {
  const all = trials.filter(isMeasured);
  const best = all.length > 1 ? topOf(all) : [];
  const quantile = best.length / all.length;
  return Object.fromEntries(
    Object.entries(space).map(([name, param]) => {
      const valuesOf = (some: readonly Trial[]) =>
        some.map(({ values }) => values[name]).filter((v) => v !== undefined);
      const [top, base] = [valuesOf(best), valuesOf(all)];
      const single = choicesOf(param)?.length === 1;
      if (top.length === 0 || base.length < LEAST || single) return [name, 0];
      const shares = (top.length / best.length) ** 2 / (base.length / all.length);
      return [name, quantile ** 2 * shares * divergence(param, top, base)];
    }),
  );
};

/** Each parameter's share of what decided, the most important first. */
export const importance = (space: Space, trials: readonly Trial[]): [name: string, share: number][] => {
  const raw = Object.entries(pedAnova(space, trials));
  const sum = raw.reduce((s, [, value]) => s + value, 0);
  const shares = raw.map(([name, value]): [string, number] => [name, sum > 0 ? value / sum : 1 / raw.length]);
  return shares.sort(([, a], [, b]) => b - a);
};
