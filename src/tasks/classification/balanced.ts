/** Weights of classes by how rare they are. */
import type { Example } from "../records.ts";
import type { Problem } from "./labels.ts";

/**
 * n / (K n_k) of labels by id, as scikit-learn's "balanced": the classes weigh the same together, and a label
 * 1 on average. A class without examples weighs 1.
 */
export const balancedIds = (ids: readonly number[], classes: number): number[] => {
  const counts = new Array<number>(classes).fill(0);
  for (const id of ids) counts[id]!++;
  return counts.map((count) => (count === 0 ? 1 : ids.length / (classes * count)));
};

/**
 * Weights of the labels of texts: of one label as `balancedIds`, of several what is not so over what is, so
 * that both weigh the same.
 */
export const balanced = (examples: readonly Example[], problem: Problem, classes: number): number[] => {
  if (problem === "single_label_classification") {
    return balancedIds(
      examples.map(({ parts }) => parts.labels![0]!),
      classes,
    );
  }
  const counts = new Array<number>(classes).fill(0);
  for (const { parts } of examples) {
    Array.from(parts.labels!).forEach((has, k) => {
      counts[k]! += has;
    });
  }
  const n = examples.length;
  return counts.map((count) => (count === 0 ? 1 : (n - count) / count));
};
