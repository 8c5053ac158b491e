/**
 * Rungs: what is measured of a trial on its way, and whether that says enough of its end to stop it there.
 */
import { rankCorrelation } from "../../metrics/numbers/rankCorrelation.ts";
import type { Point } from "../front/sort.ts";
import { isMeasured, type Trial } from "../trial.ts";

/** How well a rung foretells the end. */
export interface Foretold {
  /** Least rank correlation over the objectives, from -1 to 1. */
  readonly correlation: number;
  /** What it is at least, one standard error below. */
  readonly low: number;
  /** Complete trials that were measured at the rung. */
  readonly n: number;
}

/** Complete trials without which nothing is known of a rung. */
const LEAST = 5;
/** What the correlation has to be at least, one standard error below, for a trial to be stopped. */
const ENOUGH = 0.5;

const columns = (points: readonly Point[]): number[][] =>
  Array.from({ length: points[0]?.length ?? 0 }, (_, axis) => points.map((p) => p[axis]!));

/** Fisher's transformation; the error of 1 / sqrt(n - 3) is that of Pearson's, and near that of ranks. */
const lowerEnd = (correlation: number, n: number): number =>
  Math.abs(correlation) >= 1 ? correlation : Math.tanh(Math.atanh(correlation) - 1 / Math.sqrt(n - 3));

/** The rank correlation of what trials had at a rung with what they ended with; undefined for too few. */
export const foretold = (trials: readonly Trial[], rung: number): Foretold | undefined => {
  const passed = trials.filter(isMeasured).filter(({ rungs }) => rungs?.[rung] !== undefined);
  if (passed.length < LEAST) return undefined;
  const ends = columns(passed.map(({ objectives }) => objectives));
  const there = columns(passed.map(({ rungs }) => rungs![rung]!));
  // An objective that is the same for all tells none apart, and so misleads none.
  const varied = ends.flatMap((end, axis) => (new Set(end).size > 1 ? [[end, there[axis]!] as const] : []));
  const correlation = Math.min(1, ...varied.map(([end, early]) => rankCorrelation(end, early)));
  return { correlation, low: lowerEnd(correlation, passed.length), n: passed.length };
};

/** Whether trials may be stopped at a rung. */
export const allowsStop = (known: Foretold | undefined): boolean =>
  known !== undefined && known.low >= ENOUGH;

/** A rung's standing in words. */
export const foretoldText = (known: Foretold | undefined): string => {
  if (known === undefined) return `fewer than ${LEAST} trials ended, none is stopped`;
  const { correlation, low, n } = known;
  const about = `at least ${low.toFixed(2)}, n = ${n}`;
  const rho = `rank correlation with the end ${correlation.toFixed(2)} (${about})`;
  return allowsStop(known) ? `${rho}: bad ones are stopped` : `${rho}: too little to stop any`;
};
