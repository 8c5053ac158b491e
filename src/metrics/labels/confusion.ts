/** Which classes are taken for which. */
import { paired } from "../metric.ts";
import { classIndex, type Label, sortedLabels } from "./counts.ts";

/** A table of counts: a row for each right class, a column for each predicted one. */
export interface Confusion {
  readonly classes: readonly Label[];
  /** counts[i][j]: examples of class i that were taken for class j. */
  readonly counts: readonly (readonly number[])[];
}

/**
 * The confusion matrix, classes in the order given, or sorted where none is. Throws DataError where an
 * example has a class that is not among them.
 */
export const confusion = (
  predictions: readonly Label[],
  references: readonly Label[],
  classes: readonly Label[] = sortedLabels([...references, ...predictions]),
): Confusion => {
  paired(predictions, references);
  const counts = classes.map(() => classes.map(() => 0));
  for (const [k, reference] of references.entries()) {
    counts[classIndex(classes, reference)]![classIndex(classes, predictions[k]!)]!++;
  }
  return { classes, counts };
};
