/** Spearman's rank correlation of two lists, without an interval. */
import { weightedCorrelation } from "./correlation.ts";
import { ranker } from "./spearman.ts";

/** How nearly two lists of numbers are in one order, from -1 to 1; 0 where all of one are equal. */
export const rankCorrelation = (a: readonly number[], b: readonly number[]): number => {
  const ones = new Uint32Array(a.length).fill(1);
  return weightedCorrelation(ranker(a)(ones), ranker(b)(ones), ones);
};
