/** How often classes are predicted, right, and both: what precision, recall and F1 are made of. */
import { DataError } from "../../util/errors.ts";
import { bootstrap } from "../bootstrap.ts";
import type { IntervalOptions, Measured } from "../metric.ts";

/** A class by its name or number. */
export type Label = string | number;

/** The class of an example, or a list of those that it has where it may have several or none. */
export type Labels = Label | readonly Label[];

/** Labels as a list in which none stands twice. */
export const labelList = (labels: Labels): readonly Label[] =>
  typeof labels === "object" ? [...new Set(labels)] : [labels];

/** Distinct labels, numbers before names, each in their order. */
export const sortedLabels = (labels: Iterable<Label>): readonly Label[] =>
  [...new Set(labels)].sort((a, b) => {
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a < b ? -1 : 1;
  });

/** What one example adds to the counts; a class stands in a list as often as it counts. */
export interface Outcome {
  readonly predicted: readonly Label[];
  readonly actual: readonly Label[];
  /** What was predicted and is right. */
  readonly matched: readonly Label[];
}

/** The counts of one class. */
export interface ClassCounts {
  readonly predicted: number;
  readonly actual: number;
  readonly matched: number;
}

/** Which labels were predicted, which are right, and which are both. */
export const outcomeOf = (prediction: Labels, reference: Labels): Outcome => {
  const [predicted, actual] = [labelList(prediction), labelList(reference)];
  return { predicted, actual, matched: predicted.filter((label) => actual.includes(label)) };
};

/** All classes of some outcomes, sorted. */
export const classesOf = (outcomes: readonly Outcome[]): readonly Label[] =>
  sortedLabels(outcomes.flatMap(({ predicted, actual }) => [...predicted, ...actual]));

const COLUMNS = ["predicted", "actual", "matched"] as const;

/** Makes the counts of each class, in the order of `classes`, under given weights of the examples. */
export const counter = (outcomes: readonly Outcome[], classes: readonly Label[]) => {
  const index = new Map(classes.map((label, i) => [label, i]));
  const example: number[] = [];
  const cell: number[] = [];
  for (const [i, outcome] of outcomes.entries()) {
    for (const [column, name] of COLUMNS.entries()) {
      for (const label of outcome[name]) {
        example.push(i);
        cell.push(index.get(label)! * COLUMNS.length + column);
      }
    }
  }
  return (weights: Uint32Array): readonly ClassCounts[] => {
    const sums = new Float64Array(classes.length * COLUMNS.length);
    for (let k = 0; k < cell.length; k++) sums[cell[k]!]! += weights[example[k]!]!;
    return classes.map((_, i) => {
      const [predicted = 0, actual = 0, matched = 0] = sums.subarray(i * COLUMNS.length);
      return { predicted, actual, matched };
    });
  };
};

/** The counts of each class over all outcomes. */
export const countClasses = (outcomes: readonly Outcome[]): ReadonlyMap<Label, ClassCounts> => {
  const classes = classesOf(outcomes);
  const counts = counter(outcomes, classes)(new Uint32Array(outcomes.length).fill(1));
  return new Map(classes.map((label, i) => [label, counts[i]!]));
};

/** The number that a class has in the order of `classes`. Throws DataError where it has none. */
export const classIndex = (classes: readonly Label[], label: Label): number => {
  const at = classes.indexOf(label);
  if (at < 0) {
    const known = classes.slice(0, 20).map((c) => JSON.stringify(c));
    throw new DataError(`no example has or gets the label ${JSON.stringify(label)}`, {
      hint: `the labels are ${known.join(", ")}${classes.length > 20 ? ", ..." : ""}`,
    });
  }
  return at;
};

/** A figure of the counts of all classes, with its interval over examples. */
export const measureCounts = (
  outcomes: readonly Outcome[],
  figure: (counts: readonly ClassCounts[], classes: readonly Label[]) => number,
  interval?: IntervalOptions,
): Measured => {
  const classes = classesOf(outcomes);
  const count = counter(outcomes, classes);
  return bootstrap(outcomes.length, (weights) => figure(count(weights), classes), interval);
};
