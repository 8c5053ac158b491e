import fc from "fast-check";
import { expect, test } from "vitest";
import { lengthHistogram } from "./histogram.ts";

const lengths = fc.array(fc.oneof(fc.nat(100), fc.nat(1e6), fc.maxSafeNat()), {
  minLength: 1,
  maxLength: 300,
});

test("counts add up, and bins hold what they say", () => {
  fc.assert(
    fc.property(lengths, (values) => {
      const histogram = lengthHistogram();
      values.forEach(histogram.add);
      const { count, min, max, bins } = histogram.report("length", "bytes");
      expect([count, min, max]).toEqual([values.length, Math.min(...values), Math.max(...values)]);
      for (const { from, to, count: n } of bins) {
        expect(n).toBe(values.filter((v) => v >= from && v < to).length);
      }
      expect(bins.reduce((sum, bin) => sum + bin.count, 0)).toBe(values.length);
      for (let i = 1; i < bins.length; i++) expect(bins[i]!.from).toBe(bins[i - 1]!.to);
    }),
    { seed: 3 },
  );
});

test("quantiles are within a 64th of the exact ones", () => {
  fc.assert(
    fc.property(lengths, (values) => {
      const histogram = lengthHistogram();
      values.forEach(histogram.add);
      const sorted = values.toSorted((a, b) => a - b);
      for (const { q, value } of histogram.report("", "").quantiles) {
        const exact = sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1]!;
        expect(Math.abs(value - exact)).toBeLessThanOrEqual(exact / 64);
      }
    }),
    { seed: 4 },
  );
});

test("shards in any order add up to the whole", () => {
  fc.assert(
    fc.property(fc.array(lengths, { minLength: 1, maxLength: 4 }), (shards) => {
      const [whole, merged] = [lengthHistogram(), lengthHistogram()];
      shards
        .flat()
        .map((v) => v % 2 ** 40)
        .forEach(whole.add);
      for (const shard of shards.toReversed()) {
        const part = lengthHistogram();
        shard.map((v) => v % 2 ** 40).forEach(part.add);
        merged.merge(JSON.parse(JSON.stringify(part.state())));
      }
      expect(merged.report("a", "b")).toEqual(whole.report("a", "b"));
    }),
    { seed: 5 },
  );
});

test("nothing counted, and what is no length", () => {
  expect(lengthHistogram().report("a", "b")).toMatchObject({ count: 0, bins: [], quantiles: [] });
  for (const wrong of [-1, 0.5, Number.NaN, 2 ** 53]) {
    expect(() => lengthHistogram().add(wrong)).toThrow(/not a length/);
  }
});
