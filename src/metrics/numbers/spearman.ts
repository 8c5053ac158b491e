/**
 * Spearman's rank correlation (1904, https://doi.org/10.2307/1412159): Pearson's of the ranks, ties having
 * the mean of the places that they share. It judges sentence embeddings by scored pairs.
 */
import type { Metric } from "../metric.ts";
import { correlation, weightedCorrelation } from "./correlation.ts";

/** The number that an example's value has among the distinct values, from 0, lowest first. */
const places = (numbers: readonly number[]): { readonly place: Uint32Array; readonly distinct: number } => {
  const sorted = Float64Array.from(numbers).sort();
  const index = new Map<number, number>();
  for (const x of sorted) if (!index.has(x)) index.set(x, index.size);
  return { place: Uint32Array.from(numbers, (x) => index.get(x)!), distinct: index.size };
};

/**
 * Makes ranks under given weights: a value drawn k times is a tie of k. One array is written anew each
 * time, by plain loops: samples are many.
 */
export const ranker = (numbers: readonly number[]) => {
  const { place, distinct } = places(numbers);
  const rankOf = new Float64Array(distinct);
  const ranks = new Float64Array(place.length);
  return (weights: Uint32Array): Float64Array => {
    rankOf.fill(0);
    for (let i = 0; i < place.length; i++) rankOf[place[i]!]! += weights[i]!;
    let before = 0;
    for (let p = 0; p < distinct; p++) {
      const ties = rankOf[p]!;
      rankOf[p] = before + ties / 2;
      before += ties;
    }
    for (let i = 0; i < place.length; i++) ranks[i] = rankOf[place[i]!]!;
    return ranks;
  };
};

/**
 * Pearson's correlation of the ranks, from -1 to 1: how nearly predictions are in the order of the
 * references. 0 where all predictions are the same. Ranks are found anew in each sample.
 */
export const spearman: Metric<number, number> = {
  name: "spearman",
  unit: "",
  better: "more",
  measure: (predictions, references, interval) => {
    const [rankX, rankY] = [ranker(predictions), ranker(references)];
    return correlation(
      predictions,
      references,
      (weights) => weightedCorrelation(rankX(weights), rankY(weights), weights),
      interval,
    );
  },
};
