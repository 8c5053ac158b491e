/** Which neurons and heads stay: the same number in each layer, those that count for most. */
import type { Engine } from "../../engine/engine.ts";
import type { Model } from "../../models/model.ts";
import { isPacked, type Weight } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";
import { flatten, type Tree } from "../../util/tree.ts";
import { type ImportanceOptions, type UnitScores, unitScores } from "./importance.ts";
import type { KeptUnits } from "./keepUnits.ts";
import { type UnitKind, type Units, unitsOf } from "./units.ts";

/** Neurons are kept in multiples of this, so that blocks of few bits stay whole, where there are enough. */
const ROUND = 32;

/**
 * How many of `count` units stay where a share or a number of them is asked for. Throws ConfigError where
 * that is not between 1 and all of them, and where heads would not make whole groups of `group`.
 */
export const unitsToKeep = (
  asked: number,
  { kind, count, group }: { readonly kind: UnitKind; readonly count: number; readonly group: number },
): number => {
  const all = count * group;
  const field = `prune.${kind}`;
  const isShare = asked > 0 && asked < 1;
  if (!isShare && !(Number.isInteger(asked) && asked >= 1 && asked <= all)) {
    throw new ConfigError(`must be a share between 0 and 1 or a number from 1 to ${all}, not ${asked}`, {
      field,
      hint: `0.5 keeps half of the model's ${all} ${kind} a layer`,
    });
  }
  const exact = (isShare ? asked * all : asked) / group;
  if (kind === "neurons") {
    const round = isShare && exact >= 2 * ROUND ? ROUND : 1;
    return Math.max(1, Math.round(exact / round) * round);
  }
  const kept = Math.round(exact);
  // A share is written with two or three digits.
  const near = isShare ? Math.abs(exact - kept) <= 0.02 * count : exact === kept;
  if (kept >= 1 && near) return kept;
  const choices = Array.from({ length: count }, (_, i) => (i + 1) * group).join(", ");
  const why = group > 1 ? `, whose keys and values are shared by ${group} each,` : "";
  throw new ConfigError(
    `${asked} of ${all} heads${why} is no number that can be kept: it can be ${choices}`,
    {
      field,
      hint: "choose one of these with --heads",
    },
  );
};

/** Query heads that a unit is; 1 of a neuron. */
export const groupOf = ({ fields }: Units): number => Math.max(...Object.values(fields));

const topOf = (scores: Float64Array, keep: number): number[] =>
  Array.from(scores, (_, i) => i)
    .sort((a, b) => scores[b]! - scores[a]! || a - b)
    .slice(0, keep)
    .sort((a, b) => a - b);

/** Scores of layers that keep the same units: shares of each layer's own, added up. */
const joined = (units: readonly Units[], scores: UnitScores): UnitScores => {
  const sums = new Map<string, Float64Array>();
  for (const { name, shared = name, count } of units) {
    const own = scores.get(name)!;
    const total = own.reduce((a, b) => a + b, 0) || 1;
    const sum = sums.get(shared) ?? new Float64Array(count);
    for (let i = 0; i < count; i++) sum[i]! += own[i]! / total;
    sums.set(shared, sum);
  }
  return sums;
};

/** What is cut. */
export interface ChooseUnitsOptions extends ImportanceOptions {
  readonly kind: UnitKind;
  /**
   * A share of each layer's units (below 1) or their number, of heads that of query heads: of all layers, or
   * layer by layer.
   */
  readonly keep: number | ((units: Units) => number);
}

/** Throws ConfigError for a model of packed weights, which is not cut. */
export const requireDense = (weights: Tree<Weight>): void => {
  for (const [path, w] of flatten<Weight>(weights)) {
    if (!isPacked(w)) continue;
    throw new ConfigError(`is ${w.kind.name}: a model that is quantized is not pruned`, {
      field: path,
      hint: "prune the model that it was made of, and quantize what is left",
    });
  }
};

/** The units that stay of each layer. Throws ConfigError for what cannot be cut so, and as `unitScores`. */
export const chooseUnits = async (
  engine: Engine,
  model: Model,
  { kind, keep, ...options }: ChooseUnitsOptions,
): Promise<KeptUnits> => {
  requireDense(model.weights);
  const units = unitsOf(model, kind);
  const keeps = units.map((own) => {
    const asked = typeof keep === "number" ? keep : keep(own);
    return unitsToKeep(asked, { kind, count: own.count, group: groupOf(own) });
  });
  const scores = await unitScores(engine, model, units, options);
  const sums = joined(units, scores);
  return new Map(
    units.map(({ name, shared = name }, i) => [name, topOf(sums.get(shared)!, keeps[i]!)] as const),
  );
};
