import { describe, expect, test } from "vitest";
import { rng } from "../../util/rng.ts";
import { type PairLengths, pairBatches, shapeFor, sortedPairBatches } from "./pairBatches.ts";

/** Lengths as those of translations: of a sentence's own, and the other side near it. */
const translations = (count: number): PairLengths[] => {
  const random = rng(3, "lengths");
  return Array.from({ length: count }, () => {
    const source = 6 + random.int(8) + random.int(8) + random.int(8);
    return { source, target: Math.max(3, source + random.int(7) - random.int(5)) };
  });
};

const lengths = translations(6000);
const batches = pairBatches({ lengths, batch: 32, seed: 5 });

describe("batches of pairs", () => {
  test("take each pair once an epoch, in another order each time", () => {
    const rowsOf = (epoch: number) =>
      Array.from({ length: batches.epoch }, (_, i) => batches.at(epoch * batches.epoch + i).rows);
    for (const epoch of [0, 1]) {
      const rows = rowsOf(epoch).flat();
      expect(rows.toSorted((a, b) => a - b)).toEqual(Array.from(lengths.keys()));
    }
    expect(rowsOf(1)).not.toEqual(rowsOf(0));
  });

  test("are held by few shapes", () => {
    expect(batches.shapes.length).toBeLessThanOrEqual(40);
    for (let i = 0; i < 2 * batches.epoch; i++) {
      const { rows, shape } = batches.at(i);
      expect(batches.shapes).toContainEqual(shape);
      for (const row of rows) {
        expect(lengths[row]!.source).toBeLessThanOrEqual(shape.source);
        expect(lengths[row]!.target).toBeLessThanOrEqual(shape.target);
      }
    }
  });

  test("pad little on either side", () => {
    const sum = (side: keyof PairLengths) => {
      let [told, computed] = [0, 0];
      for (let i = 0; i < batches.epoch; i++) {
        const { rows, shape } = batches.at(i);
        computed += 32 * shape[side];
        for (const row of rows) told += lengths[row]![side];
      }
      return 1 - told / computed;
    };
    expect(batches.padding).toBeLessThan(0.07);
    expect(sum("source")).toBeLessThan(0.1);
    expect(sum("target")).toBeLessThan(0.1);
  });

  test("are a pure function of the seed and the index", () => {
    const again = pairBatches({ lengths, batch: 32, seed: 5 });
    const late = again.at(2 * again.epoch + 3);
    expect(late).toEqual(batches.at(2 * batches.epoch + 3));
    expect(pairBatches({ lengths, batch: 32, seed: 6 }).at(0)).not.toEqual(batches.at(0));
  });
});

test("sorted pairs are measured in the shapes that there are, longer ones in their own", () => {
  const some = [...lengths.slice(0, 50), { source: 90, target: 4 }];
  const rows = sortedPairBatches({ lengths: some, batch: 8 }, batches.shapes);
  expect(rows.flatMap((batch) => batch.rows).toSorted((a, b) => a - b)).toEqual(Array.from(some.keys()));
  const long = rows.find((batch) => batch.rows.includes(50))!;
  expect(long.shape.source).toBe(90);
  expect(
    shapeFor(
      [
        { source: 4, target: 9 },
        { source: 5, target: 5 },
      ],
      { source: 3, target: 5 },
    ),
  ).toEqual({
    source: 5,
    target: 5,
  });
});

test("few pairs have few shapes, and many no more than padding asks for", () => {
  const few = pairBatches({ lengths: lengths.slice(0, 100), batch: 32, seed: 1 });
  expect(few.shapes.length).toBeLessThanOrEqual(4);
  const alike = lengths.map(() => ({ source: 12, target: 20 }));
  expect(pairBatches({ lengths: alike, batch: 32, seed: 1 }).shapes).toEqual([{ source: 12, target: 20 }]);
});

test("one pair is a batch", () => {
  const one = pairBatches({ lengths: [{ source: 2, target: 7 }], batch: 4, seed: 1 });
  expect(one.at(3)).toEqual({ rows: [0], shape: { source: 2, target: 7 } });
});
