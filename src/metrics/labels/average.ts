/** One figure out of the precision, recall or F1 of many classes. */
import { type ClassCounts, classIndex, type Label } from "./counts.ts";

/**
 * How classes become one figure, as scikit-learn and seqeval have it: `micro` counts all classes together;
 * `macro` is the mean over the classes that were predicted or are right somewhere; `weighted` that mean by
 * how often each is right; `{ of }` is one class alone.
 */
export type Average = "micro" | "macro" | "weighted" | { readonly of: Label };

/** A share of counts; 0 where there is nothing to take it of. */
export type Ratio = (counts: ClassCounts) => number;

const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

/** matched / predicted. */
export const precisionOf: Ratio = ({ matched, predicted }) => share(matched, predicted);

/** matched / actual. */
export const recallOf: Ratio = ({ matched, actual }) => share(matched, actual);

/** 2 matched / (predicted + actual), the harmonic mean of precision and recall. */
export const f1Of: Ratio = ({ matched, predicted, actual }) => share(2 * matched, predicted + actual);

/** The counts of all classes together. */
export const pooled = (counts: readonly ClassCounts[]): ClassCounts =>
  counts.reduce(
    (sum, c) => ({
      predicted: sum.predicted + c.predicted,
      actual: sum.actual + c.actual,
      matched: sum.matched + c.matched,
    }),
    { predicted: 0, actual: 0, matched: 0 },
  );

/** A ratio averaged over classes. Throws DataError where the one class asked for is not there. */
export const averaged =
  (ratio: Ratio, average: Average) =>
  (counts: readonly ClassCounts[], classes: readonly Label[]): number => {
    if (average === "micro") return ratio(pooled(counts));
    if (typeof average === "object") return ratio(counts[classIndex(classes, average.of)]!);
    let [sum, whole] = [0, 0];
    for (const c of counts) {
      const weight = average === "weighted" ? c.actual : Number(c.predicted + c.actual > 0);
      sum += weight * ratio(c);
      whole += weight;
    }
    return share(sum, whole);
  };

/** The end of a metric's name that says how it averages. */
export const averageName = (average: Average): string =>
  typeof average === "object" ? String(average.of) : average;
