/** Choosing the best candidate that a budget allows. */
import type { Figures } from "../metrics/metric.ts";
import { plain } from "../render/figures.ts";
import { ConfigError, RunError } from "../util/errors.ts";
import {
  type Budget,
  type Figure,
  figureNamed,
  KEPT,
  type Limit,
  LOST,
  measuredValue,
  SIZE,
} from "./figures.ts";
import { checkBudget } from "./limit.ts";

/** What is chosen among. */
export interface Choosable {
  readonly figures: Figures;
  /** Why it may not be chosen whatever it costs: what it computes is not what its model does. */
  readonly fault?: string;
}

/** The chosen candidate and why. */
export interface Choice<T> {
  readonly chosen: T;
  /** Whether the chosen one is within the budget; if not, it is the nearest. */
  readonly met: boolean;
  /** How the choice was made, in words. */
  readonly rule: string;
  /** What the chosen one exceeds: empty where the budget is met. */
  readonly exceeded: readonly string[];
}

/** One end of a limit as a bound on a figure's value. */
export interface Bound {
  readonly figure: Figure;
  readonly most: boolean;
  readonly bound: number;
}

/**
 * The bounds of a budget, of which the relative ones are shares of what `start` has. Throws ConfigError where
 * the start has nothing above 0 to have a share of.
 */
export const boundsOf = (budget: Budget, figures: readonly Figure[], start: Choosable): Bound[] =>
  budget.flatMap(({ figure: name, most, least, relative = false }: Limit) => {
    const figure = figureNamed(figures, name)!;
    const whole = relative ? measuredValue(start, figure.name) : 1;
    if (!(whole > 0)) {
      throw new ConfigError(`the start has ${whole} of ${name}, and a share of that says nothing`, {
        field: "budget.limits",
        hint: "limit it by a value, without the x",
      });
    }
    return [
      ...(most === undefined ? [] : [{ figure, most: true, bound: most * whole }]),
      ...(least === undefined ? [] : [{ figure, most: false, bound: least * whole }]),
    ];
  });

/**
 * By what share of it a candidate exceeds a bound: 0 where it keeps it, infinite where nothing was
 * measured.
 */
export const excess = (candidate: Choosable, { figure, most, bound }: Bound): number => {
  const over = (measuredValue(candidate, figure.name) - bound) * (most ? 1 : -1);
  if (over <= 0) return 0;
  return Number.isNaN(over) ? Number.POSITIVE_INFINITY : over / Math.max(Math.abs(bound), 1e-3);
};

/** "size 2.00 MB (limit 1)" */
const exceeding = (candidate: Choosable, { figure, bound }: Bound): string => {
  const { name, label, unit, scale } = figure;
  const amount = (measuredValue(candidate, name) / scale).toPrecision(3);
  return `${[label, amount, unit].filter((word) => word !== "").join(" ")} (limit ${plain(bound / scale)})`;
};

/** What of a budget a candidate exceeds, a text each; `start` is what relative limits are shares of. */
export const exceededBy = (
  candidate: Choosable,
  { budget, figures, start }: ChooseOptions & { readonly start: Choosable },
): string[] =>
  boundsOf(budget, figures, start)
    .filter((bound) => excess(candidate, bound) > 0)
    .map((bound) => exceeding(candidate, bound));

/** The candidate that is least by the first of `keys` that tells two apart; of equals the first. */
export const least = <T>(list: readonly T[], keys: readonly ((c: T) => number)[]): T =>
  list.reduce((best, c) => {
    const key = keys.find((of) => of(c) !== of(best));
    return key !== undefined && key(c) < key(best) ? c : best;
  });

/** What is asked of `choose`. */
export interface ChooseOptions {
  readonly budget: Budget;
  /** What the candidates' figures are; the first target's median time is the usual one. */
  readonly figures: readonly Figure[];
}

/** Whether a budget limits what candidates cost, not only how good they are. */
export const limitsCost = (budget: Budget, figures: readonly Figure[]): boolean =>
  budget.some(({ figure }) => figureNamed(figures, figure)?.quality === false);

/**
 * The best of `candidates`, of which the first is the start, within `budget`: under a limit on what it costs
 * the one that loses least of the task's figure, else (limits on quality alone, or none) the smallest file;
 * among equals the smallest, then the fastest, then the first. Where none fits, the one with the least total
 * relative excess. One with a fault is never chosen. Throws ConfigError for a budget that cannot be and
 * RunError where each candidate has a fault.
 */
export const choose = <T extends Choosable>(
  candidates: readonly T[],
  { budget: given, figures }: ChooseOptions,
): Choice<T> => {
  const budget = checkBudget(given, figures);
  const [start] = candidates;
  if (start === undefined) throw new ConfigError("there are no candidates to choose from");
  const sound = candidates.filter(({ fault }) => fault === undefined);
  if (sound.length === 0) throw new RunError(`no candidate may be chosen: ${start.fault}`);
  const bounds = boundsOf(budget, figures, start);
  const over = (c: T): number => bounds.reduce((sum, bound) => sum + excess(c, bound), 0);
  const [lost, size] = [(c: T) => measuredValue(c, LOST), (c: T) => measuredValue(c, SIZE)];
  const time = figureNamed(figures, "p50Ms");
  const last = time === undefined ? [] : [(c: T) => measuredValue(c, time.name)];
  const fitting = sound.filter((c) => over(c) === 0);
  const bounded = limitsCost(budget, figures);
  if (fitting.length > 0) {
    const chosen = least(fitting, bounded ? [lost, size, ...last] : [size, lost, ...last]);
    const rule = bounded ? "lowest loss within what is allowed" : "smallest file within the loss allowed";
    return { chosen, met: true, rule, exceeded: [] };
  }
  const chosen = least(sound, [over, lost, size, ...last]);
  const exceeded = exceededBy(chosen, { budget, figures, start });
  return { chosen, met: false, rule: "nearest to the budget, which nothing meets", exceeded };
};

/**
 * The most that may be lost of the task's figure, by all limits on its quality: on what is lost, on what is
 * kept, on the figure itself. Undefined where there are none.
 */
export const mostLost = (
  budget: Budget,
  figures: readonly Figure[],
  start: Choosable,
): number | undefined => {
  const [criterion] = figures;
  const { name, better } = criterion!;
  const whole = measuredValue(start, name);
  const sign = better === "less" ? 1 : -1;
  const allowed = boundsOf(budget, figures, start).flatMap(({ figure, most, bound }) => {
    if (figure.name === LOST && most) return [bound];
    if (figure.name === KEPT && !most) return [sign > 0 ? whole / bound - whole : whole - whole * bound];
    return figure.name === name && most === sign > 0 ? [sign * (bound - whole)] : [];
  });
  return allowed.length === 0 ? undefined : Math.min(...allowed);
};
