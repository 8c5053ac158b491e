/**
 * Batches in which each class that occurs has at least two texts, as triplets need them
 * (GroupByLabelBatchSampler of sentence-transformers): the texts of a class are drawn and paired, and batches
 * are made of drawn pairs.
 */
import { permutation } from "../../util/rng.ts";
import type { DistinctBatches } from "./distinctBatches.ts";

/** Texts of classes, and how many make a batch. */
export interface ClassBatchOptions {
  /** The class of each text. */
  readonly classes: readonly number[];
  readonly batch: number;
  readonly seed: number;
}

const byClass = (classes: readonly number[]): number[][] => {
  const groups = new Map<number, number[]>();
  for (const [i, name] of classes.entries()) {
    const group = groups.get(name) ?? [];
    groups.set(name, group);
    group.push(i);
  }
  return [...groups.values()];
};

const epochOf = (groups: readonly number[][], { batch, seed }: ClassBatchOptions, epoch: number) => {
  const pairs = groups.flatMap((group, g) => {
    const drawn = Array.from(permutation(group.length, seed, `class ${g} ${epoch}`), (i) => group[i]!);
    return Array.from({ length: Math.floor(drawn.length / 2) }, (_, k) => drawn.slice(2 * k, 2 * k + 2));
  });
  const order = Array.from(permutation(pairs.length, seed, `pairs ${epoch}`), (i) => pairs[i]!);
  const each = Math.max(1, Math.floor(batch / 2));
  return Array.from({ length: Math.ceil(order.length / each) }, (_, k) =>
    order.slice(k * each, (k + 1) * each).flat(),
  );
};

/** Batches of pairs of a class. Of a class of an odd number of texts, one waits in each epoch. */
export const classBatches = (options: ClassBatchOptions): DistinctBatches => {
  const groups = byClass(options.classes);
  const first = epochOf(groups, options, 0);
  let held = { epoch: 0, batches: first };
  return {
    epoch: first.length,
    first,
    at(index) {
      const epoch = Math.floor(index / first.length);
      if (held.epoch !== epoch) held = { epoch, batches: epochOf(groups, options, epoch) };
      return held.batches[index % first.length]!;
    },
  };
};
