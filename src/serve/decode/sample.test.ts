import { expect, test } from "vitest";
import { rng } from "../../util/rng.ts";
import { argmax, penalize, type SampleOptions, sample } from "./sample.ts";
import { top } from "./top.ts";

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

test("top-p is a share of what top-k kept", () => {
  // Of 0.3, 0.25 and 0.2 the first two hold 73 %.
  expect(shares({ topK: 3, topP: 0.7 }).map((p) => p > 0)).toEqual([false, false, true, true, false]);
});

test("min-p keeps what is likely enough beside the likeliest", () => {
  expect(shares({ minP: 0.6 }).map((p) => p > 0)).toEqual([false, true, true, true, false]);
  expect(shares({ minP: 1 }).map((p) => p > 0)).toEqual([false, false, true, false, false]);
});

test("repeated tokens lose, whatever their sign, once each", () => {
  const given = Float32Array.of(2, -2, 1, 0);
  penalize(given, [0, 1, 1, 0], 2);
  expect([...given]).toEqual([1, -4, 1, 0]);
});

test("the nucleus of many tokens is what sorting all of them gives", () => {
  const random = rng(9, "many");
  const many = Float32Array.from({ length: 2000 }, () => random.normal());
  const order = [...many.keys()].sort((a, b) => many[b]! - many[a]!);
  const weights = order.map((id) => Math.exp(many[id]!));
  const total = weights.reduce((a, b) => a + b, 0);
  let size = 0;
  for (let mass = 0; mass < 0.9 * total; size++) mass += weights[size]!;
  const drawn = new Set(Array.from({ length: 3000 }, () => sample(many, { topP: 0.9 }, random)));
  const kept = new Set(order.slice(0, size));
  expect([...drawn].filter((id) => !kept.has(id))).toEqual([]);
  expect(drawn.size).toBeGreaterThan(0.6 * size);
});

test("the k largest, in order, the smaller index first among equals", () => {
  expect([...top(Float32Array.of(1, 5, 5, 2, 9, 2), 4)]).toEqual([4, 1, 2, 3]);
  expect([...top(Float32Array.of(1, 2), 5)]).toEqual([1, 0]);
  const random = rng(2, "top");
  const values = Float32Array.from({ length: 1000 }, () => random.int(300));
  const sorted = [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b);
  for (const k of [1, 2, 7, 500, 1000]) expect([...top(values, k)]).toEqual(sorted.slice(0, k));
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
