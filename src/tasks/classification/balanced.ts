/** Weights of classes by how rare they are, and what is told of rare ones. */
import { type Example, type Row, taken } from "../records.ts";
import type { LabelReading, Problem } from "./labels.ts";

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

/** A share of one label beyond which figures say little, and examples below which a label is not learnt. */
const MOST = 0.9;
const FEW = 5;

/** What is told of labels that are nearly all the same, and of those that are rare. */
export const unbalanced = (rows: readonly Row[], { of, names }: LabelReading): string[] => {
  const counts = names.map(() => 0);
  const firsts = new Map<number, string>();
  for (const [row, [id]] of taken(rows, of, () => {})) {
    counts[id!]!++;
    if (!firsts.has(id!)) firsts.set(id!, row.id);
  }
  const most = Math.max(...counts);
  const total = counts.reduce((a, b) => a + b, 0);
  const rare = names.filter((_, id) => counts[id]! < FEW);
  return [
    ...(most > MOST * total
      ? [
          `unbalanced: ${((100 * most) / total).toFixed(1)} % are "${names[counts.indexOf(most)]}" ` +
            "(--class-weights balanced weighs rare labels more)",
        ]
      : []),
    ...(rare.length > 0 && total > FEW * names.length
      ? [
          `few examples: ${rare
            .slice(0, 8)
            .map((name) => [name, names.indexOf(name)] as const)
            .map(([name, id]) => `"${name}" ${counts[id]}${firsts.has(id) ? ` (${firsts.get(id)})` : ""}`)
            .join(", ")}`,
        ]
      : []),
  ];
};
