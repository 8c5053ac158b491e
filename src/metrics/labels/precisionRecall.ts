/**
 * Precision, recall and F1 of classes, equal to scikit-learn's
 * (https://scikit-learn.org/stable/modules/model_evaluation.html) with `zero_division=0`: for one label an
 * example or several.
 */
import { bootstrapSums } from "../bootstrap.ts";
import { type IntervalOptions, type Measured, type Metric, paired } from "../metric.ts";
import { proportion } from "../proportion.ts";
import { type Average, averaged, averageName, f1Of, precisionOf, type Ratio, recallOf } from "./average.ts";
import {
  classesOf,
  countClasses,
  type Label,
  type Labels,
  measureCounts,
  type Outcome,
  outcomeOf,
} from "./counts.ts";

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

/** What is known of one class, with intervals. */
export interface ClassMeasures {
  readonly label: Label;
  readonly precision: Measured;
  readonly recall: Measured;
  readonly f1: Measured;
  /** How often it was predicted, is right, and both. */
  readonly predicted: number;
  readonly actual: number;
  readonly matched: number;
}

const nothing: Measured = { value: 0, low: 0, high: 1, n: 0 };

const times = (labels: readonly Label[], label: Label): number =>
  labels.reduce<number>((n, each) => n + Number(each === label), 0);

/**
 * The same with 95 % intervals: Wilson's of precision and recall, which are shares, resampled examples of F1.
 * Of what there is nothing to take a share of, the value is 0 and the interval all there is.
 */
export const measuredClasses = (
  outcomes: readonly Outcome[],
  interval?: IntervalOptions,
): readonly ClassMeasures[] =>
  classesOf(outcomes).map((label) => {
    const rows = outcomes.map(({ predicted, actual, matched }) => [
      times(predicted, label),
      times(actual, label),
      times(matched, label),
    ]);
    const [predicted, actual, matched] = [0, 1, 2].map((i) =>
      rows.reduce((sum, row) => sum + row[i]!, 0),
    ) as [number, number, number];
    const f1 = ([p, a, m]: readonly number[]): number => f1Of({ predicted: p!, actual: a!, matched: m! });
    return {
      ...{ label, predicted, actual, matched },
      precision: predicted === 0 ? nothing : proportion(matched, predicted),
      recall: actual === 0 ? nothing : proportion(matched, actual),
      f1: bootstrapSums(rows, f1, interval),
    };
  });
