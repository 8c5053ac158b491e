/** A rule: one number measured of a text, and the bound that it must keep. */
import type { TextStats } from "./textStats.ts";

/** One number measured of a text, and the bound that it must keep. */
export interface Rule {
  /** "family.what", as thresholds are given by. */
  readonly name: string;
  /** What it measures, in one sentence. */
  readonly measures: string;
  measure(stats: TextStats): number;
  /** "min": a lower value fails; "max": a higher one does. */
  readonly bound: "min" | "max";
  /** The threshold of the paper. */
  readonly threshold: number;
  /** Paper or code that it is from. */
  readonly source: string;
}

/** a / b; 0 of nothing. */
export const share = (a: number, b: number): number => (b === 0 ? 0 : a / b);

/** Whether `value` keeps the bound. */
export const holds = (bound: "min" | "max", value: number, threshold: number): boolean =>
  bound === "min" ? value >= threshold : value <= threshold;
