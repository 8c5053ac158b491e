/**
 * Precision, recall and F1 of classes, equal to scikit-learn's
 * (https://scikit-learn.org/stable/modules/model_evaluation.html) with `zero_division=0`: for one label an
 * example or several.
 */
import { type Metric, paired } from "../metric.ts";
import { type Average, averaged, averageName, f1Of, precisionOf, type Ratio, recallOf } from "./average.ts";
import { countClasses, type Label, type Labels, measureCounts, outcomeOf } from "./counts.ts";

/** How classes become one figure. */
export interface AverageOptions {
  /** Default macro. */
  readonly average?: Average;
}

const classMetric =
  (name: string, ratio: Ratio) =>
  ({ average = "macro" }: AverageOptions = {}): Metric<Labels, Labels> => ({
    name: `${name}/${averageName(average)}`,
    unit: "",
    better: "more",
    measure: (predictions, references, interval) => {
      paired(predictions, references);
      const outcomes = predictions.map((p, i) => outcomeOf(p, references[i]!));
      return measureCounts(outcomes, averaged(ratio, average), interval);
    },
  });

/** Of the labels predicted, the share that is right. 0 where none was predicted. */
export const precision = classMetric("precision", precisionOf);

/** Of the labels that are right, the share that was predicted. 0 where none is right. */
export const recall = classMetric("recall", recallOf);

/** The harmonic mean of precision and recall: 2 P R / (P + R). 0 where both are. */
export const f1 = classMetric("f1", f1Of);

/** What is known of one class. */
export interface ClassScores {
  readonly label: Label;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Examples that have the class. */
  readonly support: number;
}

/** A row for each class that was predicted or is right somewhere, in the order of their names. */
export const perClass = (
  predictions: readonly Labels[],
  references: readonly Labels[],
): readonly ClassScores[] => {
  paired(predictions, references);
  const counts = countClasses(predictions.map((p, i) => outcomeOf(p, references[i]!)));
  return Array.from(counts, ([label, c]) => ({
    label,
    precision: precisionOf(c),
    recall: recallOf(c),
    f1: f1Of(c),
    support: c.actual,
  }));
};
