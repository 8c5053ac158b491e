import { expect, test } from "vitest";
import { rng } from "../util/rng.ts";
import { lossDifference, withinNoise } from "./index.ts";

test("the difference is that of the means, its error that of the pairs", () => {
  const [a, b] = [Float32Array.of(3, 5, 4, 8), Float32Array.of(2, 5, 2, 7)];
  // 1, 0, 2, 1: mean 1, variance 2/3, so sqrt(2/3/4).
  expect(lossDifference(a, b)).toEqual({
    mean: 1,
    standardError: expect.closeTo(Math.sqrt(1 / 6), 12),
    n: 4,
  });
});

test("what is hard for both adds no noise", () => {
  const random = rng(1, "noise");
  const hard = Float32Array.from({ length: 400 }, () => 8 * random.uniform());
  const worse = hard.map((x) => x + 0.01);
  expect(withinNoise(lossDifference(worse, hard))).toBe(false);
  const shuffled = Float32Array.from(worse).sort();
  expect(withinNoise(lossDifference(shuffled, hard))).toBe(true);
});

test("equal losses differ by nothing for certain, one token says nothing", () => {
  const same = Float32Array.of(1, 2, 3);
  expect(withinNoise(lossDifference(same, same))).toBe(false);
  expect(withinNoise(lossDifference(Float32Array.of(9), Float32Array.of(1)))).toBe(true);
});

test("a limit is in doubt within two standard errors of it", () => {
  const difference = { mean: 0.1, standardError: 0.02, n: 10 };
  expect([0, 0.05, 0.07, 0.12, 0.15].map((limit) => withinNoise(difference, limit))).toEqual([
    false,
    false,
    true,
    true,
    false,
  ]);
});
