/**
 * Batches in which no text stands twice: of two examples with a text in common, one would be told that the
 * other's is wrong. An epoch takes each example once; its order is drawn, chunks of it are sorted by length,
 * so that little is computed for padding, and an example that shares a text with the batch waits for the next
 * (NoDuplicatesBatchSampler of sentence-transformers).
 */
import { permutation } from "../../util/rng.ts";

/** Examples, and how many make a batch. */
export interface DistinctBatchOptions {
  /** The texts of each example, as numbers that differ where the texts do. */
  readonly keys: readonly ArrayLike<number>[];
  /** Tokens of each example. */
  readonly lengths: readonly number[];
  readonly batch: number;
  readonly seed: number;
}

/** Batches by their index. */
export interface DistinctBatches {
  /** Batches that take each example once. */
  readonly epoch: number;
  /** The rows of each batch of the first epoch. */
  readonly first: readonly (readonly number[])[];
  /** The rows of batch `index` of the run: a pure function of it. */
  at(index: number): readonly number[];
}

/** Batches that are drawn together and sorted by length. */
const CHUNK = 50;

/** Examples that may wait, in batches; a batch that finds no other among so many stays short. */
const WAITING = 16;

/** `order` in batches of distinct texts, each example as early as it can be. */
export const distinctRows = (
  order: Iterable<number>,
  { keys, batch }: Pick<DistinctBatchOptions, "keys" | "batch">,
): number[][] => {
  const next = order[Symbol.iterator]();
  const batches: number[][] = [];
  let waiting: number[] = [];
  let ended = false;
  while (!ended || waiting.length > 0) {
    const rows: number[] = [];
    const used = new Set<number>();
    const later: number[] = [];
    const place = (i: number): void => {
      const own = Array.from(keys[i]!);
      if (rows.length >= batch || own.some((key) => used.has(key))) return void later.push(i);
      for (const key of own) used.add(key);
      rows.push(i);
    };
    for (const i of waiting) place(i);
    while (!ended && rows.length < batch && later.length < WAITING * batch) {
      const { done, value } = next.next();
      if (done) ended = true;
      else place(value);
    }
    waiting = later;
    if (rows.length > 0) batches.push(rows);
  }
  return batches;
};

const epochOf = (options: DistinctBatchOptions, epoch: number): number[][] => {
  const { lengths, batch, seed } = options;
  const drawn = Array.from(permutation(lengths.length, seed, `epoch ${epoch}`));
  const size = CHUNK * batch;
  const order = Array.from({ length: Math.ceil(drawn.length / size) }, (_, k) =>
    drawn.slice(k * size, (k + 1) * size).sort((a, b) => lengths[a]! - lengths[b]! || a - b),
  ).flat();
  const batches = distinctRows(order, options);
  return Array.from(permutation(batches.length, seed, `batches ${epoch}`), (i) => batches[i]!);
};

/**
 * Batches of distinct texts. An epoch has as many as the first one: where another order needs more, its last
 * are left out, and where it needs fewer, its first come twice.
 */
export const distinctBatches = (options: DistinctBatchOptions): DistinctBatches => {
  const first = epochOf(options, 0);
  let held = { epoch: 0, batches: first };
  return {
    epoch: first.length,
    first,
    at(index) {
      const epoch = Math.floor(index / first.length);
      if (held.epoch !== epoch) held = { epoch, batches: epochOf(options, epoch) };
      const { batches } = held;
      return batches[(index % first.length) % batches.length]!;
    },
  };
};
