/** Fronts and hypervolumes against brute force on random points of a grid, where a volume is a count of cells. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { undominated } from "./boxes.ts";
import { hypervolume, subsetOf } from "./hypervolume.ts";
import { beats, crowding, frontOf, nonDominatedSort, type Point } from "./sort.ts";

const SIDE = 5;
const points = (axes: number) =>
  fc.array(fc.array(fc.integer({ min: 0, max: SIDE }), { minLength: axes, maxLength: axes }), {
    maxLength: 9,
  });

function* cells(axes: number): Generator<number[]> {
  for (let i = 0; i < SIDE ** axes; i++) {
    yield Array.from({ length: axes }, (_, axis) => Math.floor(i / SIDE ** axis) % SIDE);
  }
}
const covers = (point: Point, cell: Point): boolean => point.every((x, i) => x <= cell[i]!);
const counted = (set: readonly Point[], axes: number): number => {
  let count = 0;
  for (const cell of cells(axes)) if (set.some((p) => covers(p, cell))) count++;
  return count;
};

describe.each([1, 2, 3, 4])("%i objectives", (axes) => {
  const reference = Array.from({ length: axes }, () => SIDE);
  test("the hypervolume is the number of cells that a point covers", () => {
    fc.assert(
      fc.property(points(axes), (set) => {
        expect(hypervolume(set, reference)).toBeCloseTo(counted(set, axes), 9);
      }),
      { numRuns: 60 },
    );
  });
  test("the boxes cover each cell that no point covers once, and no other", () => {
    fc.assert(
      fc.property(points(axes), (set) => {
        const boxes = undominated(set, reference);
        for (const cell of cells(axes)) {
          const holding = boxes.filter(({ low, high }) =>
            cell.every((x, i) => low[i]! <= x && x + 1 <= high[i]!),
          );
          const inside = set.filter((p) => p.every((x, i) => x < reference[i]!));
          expect(holding.length).toBe(inside.some((p) => covers(p, cell)) ? 0 : 1);
        }
      }),
      { numRuns: 15 },
    );
  });
});

test("fronts: none in one dominates another, and each in the next is dominated by one before", () => {
  fc.assert(
    fc.property(points(3), (set) => {
      const fronts = nonDominatedSort(set);
      expect(fronts.flat().sort((a, b) => a - b)).toEqual(set.map((_, i) => i));
      for (const [k, front] of fronts.entries()) {
        for (const i of front) {
          expect(front.some((j) => beats(set[j]!, set[i]!))).toBe(false);
          if (k > 0) expect(fronts[k - 1]!.some((j) => beats(set[j]!, set[i]!))).toBe(true);
        }
      }
      const first = new Set(fronts[0]?.map((i) => JSON.stringify(set[i])));
      expect(new Set(frontOf(set).map((p) => JSON.stringify(p)))).toEqual(first);
    }),
  );
});

test("crowding: the ends are infinite, between them the neighbours' distances as shares of the range", () => {
  const front = [
    [0, 10],
    [1, 6],
    [4, 4],
    [10, 0],
  ] as const;
  expect(crowding(front)).toEqual([Number.POSITIVE_INFINITY, 0.4 + 0.6, 0.9 + 0.6, Number.POSITIVE_INFINITY]);
  expect(crowding([[3, 3]])).toEqual([Number.POSITIVE_INFINITY]);
});

test("a subset dominates at least 1 - 1/e of what the best one of its size does", () => {
  fc.assert(
    fc.property(points(2), (set) => {
      const reference = [SIDE, SIDE];
      const size = 2;
      if (set.length < size) return;
      const chosen = subsetOf(set, size, reference);
      expect(new Set(chosen).size).toBe(size);
      const pairs = set.flatMap((a, i) => set.slice(i + 1).map((b) => hypervolume([a, b], reference)));
      const own = hypervolume(
        chosen.map((i) => set[i]!),
        reference,
      );
      expect(own).toBeGreaterThanOrEqual((1 - 1 / Math.E) * Math.max(...pairs) - 1e-9);
    }),
  );
});
