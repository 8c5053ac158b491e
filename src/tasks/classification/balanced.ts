/** Weights of classes by how rare they are. */
import type { Example } from "../records.ts";
import type { Problem } from "./labels.ts";

/**
 * n / (K n_k), as scikit-learn's "balanced": the classes weigh the same together, and a text 1 on average. Of
 * several labels what is not so over what is, so that both weigh the same. A class without examples weighs 1.
 */
export const balanced = (examples: readonly Example[], problem: Problem, classes: number): number[] => {
  const counts = new Array<number>(classes).fill(0);
  for (const { parts } of examples) {
    const labels = Array.from(parts.labels!);
    if (problem === "single_label_classification") counts[labels[0]!]!++;
    else
      labels.forEach((has, k) => {
        counts[k]! += has;
      });
  }
  const n = examples.length;
  if (problem === "single_label_classification") {
    return counts.map((count) => (count === 0 ? 1 : n / (classes * count)));
  }
  return counts.map((count) => (count === 0 ? 1 : (n - count) / count));
};
