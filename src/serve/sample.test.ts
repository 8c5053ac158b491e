import { expect, test } from "vitest";
import { rng } from "../util/rng.ts";
import { argmax, type SampleOptions, sample } from "./sample.ts";

const logits = Float32Array.from([0.1, 0.2, 0.3, 0.25, 0.15], Math.log);

const shares = (options: SampleOptions, draws = 20_000): number[] => {
  const random = rng(3, "test");
  const counts = new Array<number>(logits.length).fill(0);
  for (let i = 0; i < draws; i++) counts[sample(logits, options, random)]! += 1 / draws;
  return counts;
};

test("greedy takes the largest, the first of equals", () => {
  expect(sample(logits, { temperature: 0 }, rng(1, "x"))).toBe(2);
  expect(argmax(Float32Array.of(1, 3, 3))).toBe(1);
});

test("draws follow the distribution, sharpened by temperature", () => {
  const plain = shares({});
  [0.1, 0.2, 0.3, 0.25, 0.15].forEach((p, i) => {
    expect(Math.abs(plain[i]! - p)).toBeLessThan(0.015);
  });
  expect(shares({ temperature: 0.2 })[2]!).toBeGreaterThan(0.6);
});

test("top-k and top-p leave the tail out", () => {
  expect(shares({ topK: 2 }).map((p) => p > 0)).toEqual([false, false, true, true, false]);
  // 0.3 + 0.25 reach 0.5; the third would pass it.
  expect(shares({ topP: 0.5 }).map((p) => p > 0)).toEqual([false, false, true, true, false]);
  expect(shares({ topP: 1e-9 }).map((p) => p > 0)).toEqual([false, false, true, false, false]);
});

test("one seed draws the same", () => {
  const draw = () =>
    Array.from(
      { length: 20 },
      (
        (r) => () =>
          sample(logits, {}, r)
      )(rng(5, "same")),
    );
  expect(draw()).toEqual(draw());
});
