/** Trials: a configuration, and what became of it. */
import type { Point } from "./front/sort.ts";
import type { Values } from "./space/space.ts";

/** Where a trial stands: "pruned" was stopped at a rung, "failed" has no result. */
export type TrialState = "running" | "complete" | "pruned" | "failed";

/** A configuration that was asked for, and what was measured of it. */
export interface Trial {
  /** Counted from 0 in the order in which they were asked for. */
  readonly number: number;
  readonly values: Values;
  readonly state: TrialState;
  /** Of a complete trial, all to be made small; of a pruned one, at the rung where it was stopped. */
  readonly objectives?: Point;
  /** By how much each constraint is broken: kept where it is at most 0. */
  readonly violations?: readonly number[];
  /** What it took to measure, in any unit above 0. */
  readonly compute?: number;
  /** What was measured on the way, by rung: 0 is the cheapest. */
  readonly rungs?: readonly Point[];
}

/** A trial with a result. */
export type Measured = Trial & { readonly objectives: Point };

/** How far a trial is beyond its constraints, in sum: 0 where it keeps them all. */
export const violationOf = ({ violations = [] }: Trial): number =>
  violations.reduce((sum, v) => sum + Math.max(0, v), 0);

/** Whether a trial ended with a finite result. */
export const isMeasured = (trial: Trial): trial is Measured =>
  trial.state === "complete" && trial.objectives !== undefined && trial.objectives.every(Number.isFinite);
