/**
 * Batches of examples of like length, so that little is computed for padding, in few widths, so that few
 * graphs are compiled. An epoch takes each example once: it is drawn anew, cut into chunks, each chunk is
 * sorted by length and cut into batches (as the length-grouped sampler of transformers), and the batches are
 * drawn anew. The widths are those few that pad least.
 */
import { permutation } from "../../util/rng.ts";

/**
 * Batches that are drawn together and sorted by length, or half as many more: chunks of an epoch are equal.
 */
const CHUNK = 200;

/** Share of padding that more widths are not worth fighting. */
const ENOUGH = 0.05;

/** What sorting leaves may be this much worse in few widths, share of the tokens. */
const SLACK = 0.01;

/** Most widths. */
const MOST = 20;

/** Lengths that are told apart in the search for widths. */
const GRID = 256;

/** The lengths of examples, and how many make a batch. */
export interface LengthBatchOptions {
  /** Tokens of each example. */
  readonly lengths: readonly number[];
  readonly batch: number;
  readonly seed: number;
}

/** One batch. */
export interface LengthBatch {
  /** Indices of its examples; the last of an epoch may be short. */
  readonly rows: readonly number[];
  /** Tokens that its rows are padded to. */
  readonly width: number;
}

/** Batches by their index, and what they cost. */
export interface LengthBatches {
  /** Widths that rows have, ascending. */
  readonly widths: readonly number[];
  /** Batches that take each example once. */
  readonly epoch: number;
  /** Padding's share of the tokens, in the first epoch. */
  readonly padding: number;
  /** Batch `index` of the run: a pure function of it. */
  at(index: number): LengthBatch;
}

const chunksOf = <T>(all: ArrayLike<T>, size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) =>
    Array.from({ length: Math.min(size, all.length - i * size) }, (__, k) => all[i * size + k]!),
  );

/** The rows of each batch of an epoch. */
const epochOf = ({ lengths, batch, seed }: LengthBatchOptions, epoch: number): number[][] => {
  const order = permutation(lengths.length, seed, `epoch ${epoch}`);
  const count = Math.ceil(lengths.length / batch);
  // A short chunk at the end would have few texts of each length.
  const size = Math.ceil(count / Math.max(1, Math.round(count / CHUNK)));
  const batches = chunksOf(order, size * batch).flatMap((chunk) =>
    chunksOf(
      chunk.sort((a, b) => lengths[a]! - lengths[b]! || a - b),
      batch,
    ),
  );
  return Array.from(permutation(batches.length, seed, `batches ${epoch}`), (i) => batches[i]!);
};

const longestOf = (rows: readonly number[], lengths: readonly number[]): number =>
  rows.reduce((most, row) => Math.max(most, lengths[row]!), 1);

/** How many batches have each width at least, ascending. */
type Needs = readonly (readonly [width: number, count: number])[];

const needsOf = (batches: readonly (readonly number[])[], lengths: readonly number[]): Needs => {
  const longest = lengths.reduce((a, b) => Math.max(a, b), 1);
  const step = Math.ceil(longest / GRID);
  const counts = new Map<number, number>([[longest, 0]]);
  for (const rows of batches) {
    const width = Math.min(longest, step * Math.ceil(longestOf(rows, lengths) / step));
    counts.set(width, (counts.get(width) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => a - b);
};

interface Cut {
  readonly cost: number;
  readonly widths: readonly number[];
}

/**
 * The best cuts of the sorted needs into 1, 2, ... groups, each as wide as its last: the least sum of count
 * times width over all of them.
 */
function* cutsOf(needs: Needs): Generator<Cut> {
  const sums = [0];
  for (const [, count] of needs) sums.push(sums.at(-1)! + count);
  const cost = (from: number, to: number): number => (sums[to + 1]! - sums[from]!) * needs[to]![0];
  let best: Cut[] = needs.map(([width], to) => ({ cost: cost(0, to), widths: [width] }));
  yield best.at(-1)!;
  for (let groups = 2; groups <= Math.min(MOST, needs.length); groups++) {
    best = needs.map(([width], to) => {
      let found = best[to]!;
      for (let from = 1; from <= to; from++) {
        const before = best[from - 1]!;
        const total = before.cost + cost(from, to);
        if (total < found.cost) found = { cost: total, widths: [...before.widths, width] };
      }
      return found;
    });
    yield best.at(-1)!;
  }
}

/** The fewest widths by which padding is bearable, else the best of as many as there may be. */
export const widthsOf = (
  { lengths, batch }: Omit<LengthBatchOptions, "seed">,
  first: readonly (readonly number[])[],
): number[] => {
  const tokens = lengths.reduce((a, b) => a + b, 0);
  const padding = (rows: number): number => 1 - tokens / (rows * batch);
  const needs = needsOf(first, lengths);
  const least = padding(needs.reduce((sum, [width, count]) => sum + width * count, 0));
  const bearable = Math.max(ENOUGH, least + SLACK);
  let last: Cut | undefined;
  for (const cut of cutsOf(needs)) {
    last = cut;
    if (padding(cut.cost) <= bearable) break;
  }
  return [...last!.widths];
};

/** The narrowest of `widths` that holds `length`; the length itself where none does. */
export const widthFor = (widths: readonly number[], length: number): number =>
  widths.find((width) => width >= length) ?? length;

/** All examples once, sorted by length: the batches that they are measured in, in `widths` where given. */
export const sortedBatches = (
  { lengths, batch }: Omit<LengthBatchOptions, "seed">,
  widths?: readonly number[],
): readonly LengthBatch[] => {
  const order = Array.from(lengths.keys()).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const batches = chunksOf(order, batch);
  const known = widths ?? widthsOf({ lengths, batch }, batches);
  return batches.map((rows) => ({ rows, width: widthFor(known, longestOf(rows, lengths)) }));
};

/** Batches of like length. There must be an example. */
export const lengthBatches = (options: LengthBatchOptions): LengthBatches => {
  const { lengths, batch } = options;
  const first = epochOf(options, 0);
  const widths = widthsOf(options, first);
  const widthOf = (rows: readonly number[]): number => widthFor(widths, longestOf(rows, lengths));
  const tokens = lengths.reduce((a, b) => a + b, 0);
  const computed = first.reduce((sum, rows) => sum + batch * widthOf(rows), 0);
  let held = { epoch: 0, batches: first };
  return {
    widths,
    epoch: first.length,
    padding: 1 - tokens / computed,
    at(index) {
      const epoch = Math.floor(index / first.length);
      if (held.epoch !== epoch) held = { epoch, batches: epochOf(options, epoch) };
      const rows = held.batches[index % first.length]!;
      return { rows, width: widthOf(rows) };
    },
  };
};
