/**
 * Matthews correlation (1975) in its form for many classes (Gorodkin 2004,
 * https://doi.org/10.1016/j.compbiolchem.2004.09.006), as scikit-learn's matthews_corrcoef.
 */
import { type Metric, paired } from "../metric.ts";
import { pooled } from "./average.ts";
import { type ClassCounts, type Label, measureCounts, outcomeOf } from "./counts.ts";

/** The sum over classes of a product of two of their counts. */
const dot = (counts: readonly ClassCounts[], a: "predicted" | "actual", b: "predicted" | "actual"): number =>
  counts.reduce((sum, c) => sum + c[a] * c[b], 0);

const matthewsOf = (counts: readonly ClassCounts[]): number => {
  const { matched, actual: n } = pooled(counts);
  const spread = (n * n - dot(counts, "predicted", "predicted")) * (n * n - dot(counts, "actual", "actual"));
  return spread === 0 ? 0 : (matched * n - dot(counts, "predicted", "actual")) / Math.sqrt(spread);
};

/**
 * (c n - sum p t) / sqrt((n² - sum p²) (n² - sum t²)), c the right ones of n, p and t how often a class is
 * predicted and right: from -1 to 1, 0 for guesses. 0 too where all predictions, or all references, are of
 * one class.
 */
export const matthews: Metric<Label, Label> = {
  name: "matthews",
  unit: "",
  better: "more",
  measure: (predictions, references, interval) => {
    paired(predictions, references);
    const outcomes = predictions.map((p, i) => outcomeOf(p, references[i]!));
    return measureCounts(outcomes, matthewsOf, interval);
  },
};
