/**
 * How two candidates differ, figure by figure, and whether what was measured tells them apart. The interval
 * of a difference of two that were measured apart comes of both of theirs (MOVER, Zou and Donner 2008,
 * https://doi.org/10.1002/sim.3095); of scores in pairs it is that of the pairs' differences.
 */
import { type Measured, mapped } from "../../metrics/metric.ts";
import { fixed, short } from "../../render/figures.ts";
import type { Choosable } from "../budget.ts";
import { type Figure, LOST } from "../figures.ts";

/** Which of two is ahead: "same" where both are known for certain. */
export type Standing = "better" | "worse" | "same" | "within noise";

/** One figure of two candidates. */
export interface Difference {
  /** The figure's whole name. */
  readonly figure: string;
  /** The first less the second, in the figure's own units. */
  readonly difference: Measured;
  /** The first by the second, of what is counted from 0. */
  readonly ratio?: Measured;
  /** How the first stands. */
  readonly standing: Standing;
}

/** a - b of figures that were measured apart. */
export const less = (a: Measured, b: Measured): Measured => {
  const value = a.value - b.value;
  return {
    value,
    low: value - Math.hypot(a.value - a.low, b.high - b.value),
    high: value + Math.hypot(a.high - a.value, b.value - b.low),
    n: Math.max(a.n, b.n),
  };
};

/** a / b of positive figures that were measured apart: the difference of their logarithms. */
export const quotient = (a: Measured, b: Measured): Measured | undefined => {
  if (!(a.value > 0 && b.value > 0)) return undefined;
  // An end at or below 0 says nothing, and so nothing of the quotient.
  const log = (x: number): number => (x > 0 ? Math.log(x) : Number.NEGATIVE_INFINITY);
  return mapped(less(mapped(a, log), mapped(b, log)), Math.exp);
};

/** How something stands whose difference to the other is `by`, where `even` is none. */
export const standingOf = ({ low, high }: Measured, better: Figure["better"], even = 0): Standing => {
  if (low === even && high === even) return "same";
  if (!(low > even || high < even)) return "within noise";
  return low > even === (better === "more") ? "better" : "worse";
};

/** A difference whose interval is that of the ratio. */
const scaledBy = ({ value: at, low, high, n }: Measured, value: number, unit: number): Measured => ({
  ...{ value, n },
  low: value + unit * (low - at),
  high: value + unit * (high - at),
});

/**
 * How `a` differs from `b` in one figure, by the ratio that is known of them, else by their own intervals;
 * undefined where one of them has not got it.
 */
export const differenceOf = (
  [a, b]: readonly [Choosable, Choosable],
  figure: Figure,
  known?: Measured,
): Difference | undefined => {
  const [one, other] = [a.figures[figure.name], b.figures[figure.name]];
  if (one === undefined || other === undefined) return undefined;
  const difference =
    known === undefined ? less(one, other) : scaledBy(known, one.value - other.value, other.value);
  const ratio = known ?? (figure.quality ? undefined : quotient(one, other));
  const standing =
    ratio === undefined ? standingOf(difference, figure.better) : standingOf(ratio, figure.better, 1);
  return { figure: figure.name, difference, ...(ratio === undefined ? {} : { ratio }), standing };
};

/** " ± 0.0041" of what has an interval of finite width, by its longer side. */
export const marginText = ({ value, low, high }: Measured, digits: number): string => {
  const margin = Math.max(value - low, high - value);
  return Number.isFinite(margin) && margin > 0 ? ` \u00b1 ${fixed(margin, digits)}` : "";
};

/** "3.67x the size", "0.0590 ± 0.0041 bits per byte less lost", "p50 within noise". */
export const differenceText = (
  { difference, ratio, standing }: Difference,
  { name, label, unit }: Figure,
): string => {
  if (standing === "same") return `the same ${label}`;
  if (standing === "within noise") return `${label} within noise`;
  if (ratio !== undefined) return `${short(ratio.value)}x the ${label}`;
  const amount = `${fixed(Math.abs(difference.value), 4)}${marginText(difference, 4)}`;
  const way = difference.value > 0 ? "more" : "less";
  return name === LOST ? `${amount} ${unit} ${way} lost` : `${amount} ${way} ${label}`;
};
