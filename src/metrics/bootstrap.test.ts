import fc from "fast-check";
import { expect, test } from "vitest";
import { rng } from "../util/rng.ts";
import { bootstrap, bootstrapMean, bootstrapSums } from "./bootstrap.ts";

const normals = (n: number, seed: number): number[] => {
  const random = rng(seed, "normals");
  return Array.from({ length: n }, () => random.normal());
};

test.each([100, 1000, 5000])("the interval of a mean of %i numbers is 2 x 1.96 standard errors wide", (n) => {
  const { value, low, high } = bootstrapMean(normals(n, 3));
  expect((high - low) * Math.sqrt(n)).toBeGreaterThan(2 * 1.96 * 0.85);
  expect((high - low) * Math.sqrt(n)).toBeLessThan(2 * 1.96 * 1.15);
  expect(low).toBeLessThan(value);
  expect(high).toBeGreaterThan(value);
});

test.each([60, 1500])("it holds the true mean in about 95 of 100 samples of %i numbers", (n) => {
  const runs = 150;
  const held = Array.from({ length: runs }, (_, seed) =>
    bootstrapMean(normals(n, seed), { resamples: 100, seed }),
  ).filter(({ low, high }) => low <= 0 && 0 <= high).length;
  expect(held / runs).toBeGreaterThan(0.9);
  expect(held / runs).toBeLessThan(0.99);
});

test("one seed gives one interval, another seed another", () => {
  const values = normals(50, 1);
  expect(bootstrapMean(values, { seed: 4 })).toEqual(bootstrapMean(values, { seed: 4 }));
  expect(bootstrapMean(values, { seed: 4 })).not.toEqual(bootstrapMean(values, { seed: 5 }));
});

test("of one example nothing is known but itself", () => {
  expect(bootstrapMean([3])).toEqual({
    value: 3,
    low: Number.NEGATIVE_INFINITY,
    high: Number.POSITIVE_INFINITY,
    n: 1,
  });
});

test("a ratio of sums is no mean of ratios", () => {
  const { value } = bootstrapSums(
    [
      [1, 1],
      [1, 3],
    ],
    ([a, b]) => a! / b!,
  );
  expect(value).toBe(0.5);
});

test("samples have as many examples as the data, and the interval holds the value", () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 2, maxLength: 40 }), (values) => {
      const { value, low, high, n } = bootstrap(
        values.length,
        (weights) => {
          expect(weights.reduce((a, b) => a + b)).toBe(values.length);
          return Math.max(...values.filter((_, i) => weights[i]! > 0));
        },
        { resamples: 20 },
      );
      expect(low).toBeLessThanOrEqual(value);
      expect(high).toBeGreaterThanOrEqual(value);
      expect(n).toBe(values.length);
    }),
  );
});
