import fc from "fast-check";
import { expect, test } from "vitest";
import { merger } from "./bpe.ts";
import { CACHE_BYTES, wordCache } from "./cache.ts";
import { heap } from "./heap.ts";
import { NO_RANK, type PairMerge, pairTable } from "./pairs.ts";

const SYMBOLS = 4;
/** Merges of a small alphabet, each of earlier symbols. */
const merges = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 24 }).map((pairs): PairMerge[] =>
  pairs.map(([a, b], rank) => ({
    left: a % (SYMBOLS + rank),
    right: b % (SYMBOLS + rank),
    rank,
    id: SYMBOLS + rank,
  })),
);
const word = (maxLength: number) => fc.array(fc.nat(SYMBOLS - 1), { minLength: 1, maxLength });

/** The definition: the leftmost pair of lowest rank, again and again. */
const merged = (symbols: readonly number[], list: readonly PairMerge[]): number[] => {
  const ids = [...symbols];
  for (;;) {
    let best: PairMerge | undefined;
    let at = -1;
    for (let i = 0; i + 1 < ids.length; i++) {
      const merge = list.find(({ left, right }) => left === ids[i] && right === ids[i + 1]);
      if (merge !== undefined && (best === undefined || merge.rank < best.rank)) [best, at] = [merge, i];
    }
    if (best === undefined) return ids;
    ids.splice(at, 2, best.id);
  }
};

test.each([
  ["short", 30],
  ["long", 300],
])("%s words merge as the definition says", (_, length) => {
  fc.assert(
    fc.property(merges, word(length), (list, symbols) => {
      const ids = Int32Array.from(symbols);
      const count = merger(pairTable(list))(ids, ids.length);
      expect([...ids.subarray(0, count)]).toEqual(merged(symbols, list));
    }),
    { numRuns: 400 },
  );
});

test("the table finds each pair, and no other", () => {
  const list = Array.from({ length: 5000 }, (_, rank) => ({
    left: (rank * 7919) % 5003,
    right: (rank * 104729) % 4999,
    rank,
    id: rank + 1,
  }));
  const { find, ranks, ids } = pairTable(list);
  for (const { left, right, rank, id } of list) {
    expect([ranks[find(left, right)], ids[find(left, right)]]).toEqual([rank, id]);
    expect(ranks[find(right + 6000, left)]).toBe(NO_RANK);
  }
  const twice = pairTable([
    { left: 1, right: 2, rank: 0, id: 3 },
    { left: 1, right: 2, rank: 1, id: 4 },
  ]);
  expect(twice.ids[twice.find(1, 2)]).toBe(3);
  expect(pairTable([]).ranks[pairTable([]).find(0, 0)]).toBe(NO_RANK);
});

test("the heap gives pairs in order", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { maxLength: 60 }), (pairs) => {
      const queue = heap(1);
      for (const [a, b] of pairs) queue.push(a, b);
      const out: number[][] = [];
      while (queue.pop()) out.push([queue.first, queue.second]);
      expect(out).toEqual([...pairs].sort((x, y) => x[0] - y[0] || x[1] - y[1]));
    }),
  );
});

test("a full cache forgets, and never mistakes a word for another", () => {
  const cache = wordCache(16);
  const utf8 = new TextEncoder();
  const ids = new Int32Array(CACHE_BYTES);
  let known = 0;
  for (let i = 0; i < 5000; i++) {
    const bytes = utf8.encode(`w${((i >> 1) * 31) % 40}`.padEnd(1 + ((i >> 1) % 3) * 20, "x"));
    const hash = cache.hash(bytes, 0, bytes.length);
    const slot = cache.find(bytes, 0, bytes.length, hash);
    const count = cache.count(slot);
    const own = Array.from(bytes);
    if (count > 0) {
      known++;
      expect(Array.from({ length: count }, (_, k) => cache.id(slot, k))).toEqual(own);
    } else {
      ids.set(own);
      cache.put(bytes, 0, bytes.length, hash, ids, own.length);
    }
  }
  expect(known).toBeGreaterThan(0);
});
