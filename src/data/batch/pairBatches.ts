/**
 * Batches of pairs whose sources are of like length and whose targets are too, so that little is computed for
 * padding, in few shapes, so that few graphs are compiled. Each pair belongs to the smallest shape that holds
 * it; an epoch takes each pair once: those of a shape are drawn anew and cut into batches, what is left over
 * goes to the next shape that holds it, and the batches are drawn anew. The shapes are found by joining those
 * two that add least padding, again and again (Ward 1963, https://doi.org/10.1080/01621459.1963.10500845).
 */
import { permutation } from "../../util/rng.ts";

/** Share of padding that more shapes are not worth fighting. */
const ENOUGH = 0.05;

/** Most shapes, and what they grow with: few batches are not worth many. */
const MOST = 40;
const FEWEST = 4;
const mostShapes = (batches: number): number =>
  Math.min(MOST, Math.max(FEWEST, Math.round(2 * Math.sqrt(batches))));

/** Shapes that are told apart in the search. */
const GRID = 1024;

/** Tokens of both sides. */
export interface PairLengths {
  readonly source: number;
  readonly target: number;
}

/** The lengths of pairs, and how many make a batch. */
export interface PairBatchesOptions {
  readonly lengths: readonly PairLengths[];
  readonly batch: number;
  readonly seed: number;
}

/** One batch: indices of its pairs, of which there may be few, and what holds them. */
export interface RowsInShape {
  readonly rows: readonly number[];
  readonly shape: PairLengths;
}

/** Batches by their index, and what they cost. */
export interface PairBatches {
  /** The shapes that batches have. */
  readonly shapes: readonly PairLengths[];
  /** Batches that take each pair once. */
  readonly epoch: number;
  /** Padding's share of the tokens. */
  readonly padding: number;
  /** Batch `index` of the run: a pure function of it. */
  at(index: number): RowsInShape;
}

type Lengths = PairBatchesOptions["lengths"];

const sizeOf = ({ source, target }: PairLengths): number => source + target;

const holds = (shape: PairLengths, { source, target }: PairLengths): boolean =>
  shape.source >= source && shape.target >= target;

/** The least shape that holds both. */
const joined = (a: PairLengths, b: PairLengths): PairLengths => ({
  source: Math.max(a.source, b.source),
  target: Math.max(a.target, b.target),
});

/** The least shape that holds all. */
export const longestOf = (lengths: Lengths): PairLengths => lengths.reduce(joined, { source: 1, target: 1 });

/** How many pairs a shape is for. */
interface Need {
  readonly shape: PairLengths;
  readonly count: number;
}

const costOf = ({ shape, count }: Need): number => sizeOf(shape) * count;

/** How many pairs have each shape, in steps that leave few enough to search among. */
const needsOf = (lengths: Lengths): Need[] => {
  const longest = longestOf(lengths);
  for (let step = 1; ; step *= 2) {
    const rounded = (n: number, most: number): number => Math.min(most, step * Math.ceil(n / step));
    const needs = new Map<string, Need>([
      [`${longest.source} ${longest.target}`, { shape: longest, count: 0 }],
    ]);
    for (const exact of lengths) {
      const source = rounded(exact.source, longest.source);
      const target = rounded(exact.target, longest.target);
      const key = `${source} ${target}`;
      needs.set(key, { shape: { source, target }, count: (needs.get(key)?.count ?? 0) + 1 });
    }
    if (needs.size <= GRID) return [...needs.values()];
  }
};

interface Near {
  readonly other: number;
  /** What one shape for both costs more. */
  readonly more: number;
}

const both = (a: Need, b: Need): Need => ({
  shape: joined(a.shape, b.shape),
  count: a.count + b.count,
});

/** The need that it is cheapest to join with need `i`, among those that there are. */
const nearest = (needs: ReadonlyMap<number, Need>, i: number): Near => {
  const own = needs.get(i)!;
  let found: Near = { other: -1, more: Number.POSITIVE_INFINITY };
  for (const [other, need] of needs) {
    if (other === i) continue;
    const more = costOf(both(own, need)) - costOf(own) - costOf(need);
    if (more < found.more) found = { other, more };
  }
  return found;
};

/** Joins needs, the cheapest two first, until `enough` says so of those that one joining more would leave. */
const joinedUntil = (
  all: readonly Need[],
  enough: (count: number, cost: number) => boolean,
): readonly Need[] => {
  const needs = new Map(all.entries());
  const near = new Map(all.map((_, i) => [i, nearest(needs, i)]));
  let cost = all.reduce((sum, need) => sum + costOf(need), 0);
  while (needs.size > 1) {
    let [i, found] = [-1, { other: -1, more: Number.POSITIVE_INFINITY }];
    for (const [at, each] of near) if (each.more < found.more) [i, found] = [at, each];
    if (enough(needs.size, cost + found.more)) break;
    cost += found.more;
    needs.set(i, both(needs.get(i)!, needs.get(found.other)!));
    needs.delete(found.other);
    near.delete(found.other);
    for (const [at, { other }] of near) {
      // Costs to others only grow where a need has grown.
      if (at === i || other === i || other === found.other) near.set(at, nearest(needs, at));
    }
  }
  return [...needs.values()];
};

/** The fewest shapes by which padding is bearable, else as many as there may be; one holds every pair. */
const shapesOf = ({ lengths, batch }: Pick<PairBatchesOptions, "lengths" | "batch">): PairLengths[] => {
  const tokens = lengths.reduce((sum, pair) => sum + sizeOf(pair), 0);
  const most = mostShapes(lengths.length / batch);
  const enough = (count: number, cost: number) => count <= most && 1 - tokens / cost > ENOUGH;
  return joinedUntil(needsOf(lengths), enough).map(({ shape }) => shape);
};

/** The smallest of `shapes` that holds both sides; the sides' own lengths where none does. */
export const shapeFor = (shapes: readonly PairLengths[], pair: PairLengths): PairLengths => {
  const holding = shapes.filter((shape) => holds(shape, pair));
  const least = (a: PairLengths, b: PairLengths) => (sizeOf(b) < sizeOf(a) ? b : a);
  return holding.length === 0 ? pair : holding.reduce(least);
};

/**
 * Rows, in the order in which they are given, cut into batches of one shape each. What makes no whole batch
 * goes to the smallest larger shape; the last of each kind that no other holds is short.
 */
const cut = (
  rows: Iterable<number>,
  { lengths, batch }: Pick<PairBatchesOptions, "lengths" | "batch">,
  shapes: readonly PairLengths[],
): RowsInShape[] => {
  const keyOf = ({ source, target }: PairLengths): string => `${source} ${target}`;
  const groups = new Map<string, { readonly shape: PairLengths; readonly rows: number[] }>();
  const add = (shape: PairLengths, some: readonly number[]): void => {
    const group = groups.get(keyOf(shape)) ?? { shape, rows: [] };
    groups.set(keyOf(shape), group);
    for (const row of some) group.rows.push(row);
  };
  for (const shape of shapes) add(shape, []);
  for (const row of rows) add(shapeFor(shapes, lengths[row]!), [row]);
  const order = [...groups.values()].sort((a, b) => sizeOf(a.shape) - sizeOf(b.shape));
  return order.flatMap(({ shape, rows: own }, at) => {
    const whole = Math.floor(own.length / batch) * batch;
    const next = order.slice(at + 1).find((larger) => holds(larger.shape, shape));
    const kept = next === undefined ? own : own.slice(0, whole);
    if (next !== undefined) next.rows.push(...own.slice(whole));
    return Array.from({ length: Math.ceil(kept.length / batch) }, (_, i) => ({
      rows: kept.slice(i * batch, (i + 1) * batch),
      shape,
    }));
  });
};

/** All pairs once, in `shapes` where given: the batches that they are measured in. */
export const sortedPairBatches = (
  given: Pick<PairBatchesOptions, "lengths" | "batch">,
  shapes: readonly PairLengths[] = shapesOf(given),
): readonly RowsInShape[] => cut(given.lengths.keys(), given, shapes);

/** The batches of an epoch. */
const epochOf = (
  options: PairBatchesOptions,
  shapes: readonly PairLengths[],
  epoch: number,
): RowsInShape[] => {
  const { lengths, seed } = options;
  const batches = cut(permutation(lengths.length, seed, `pairs/${epoch}`), options, shapes);
  return Array.from(permutation(batches.length, seed, `pair batches/${epoch}`), (i) => batches[i]!);
};

/** Batches of pairs of like lengths. There must be a pair. */
export const pairBatches = (options: PairBatchesOptions): PairBatches => {
  const { lengths, batch } = options;
  const shapes = shapesOf(options);
  // How many batches there are follows from the lengths alone.
  const first = epochOf(options, shapes, 0);
  const tokens = lengths.reduce((sum, pair) => sum + sizeOf(pair), 0);
  const computed = first.reduce((sum, { shape }) => sum + batch * sizeOf(shape), 0);
  let held = { epoch: 0, batches: first };
  return {
    shapes,
    epoch: first.length,
    padding: 1 - tokens / computed,
    at(index) {
      const epoch = Math.floor(index / first.length);
      if (held.epoch !== epoch) held = { epoch, batches: epochOf(options, shapes, epoch) };
      return held.batches[index % first.length]!;
    },
  };
};
