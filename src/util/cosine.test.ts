import { expect, test } from "vitest";
import { cosineSum } from "./cosine.ts";

test("of pieces it is that of the whole", () => {
  const sum = cosineSum();
  sum.add([1, 2], [2, 4]);
  sum.add([3], [-6]);
  expect(sum.cosine()).toBeCloseTo((2 + 8 - 18) / Math.sqrt(14 * 56), 15);
});

test("zeros and what is no number", () => {
  const of = (a: number[], b: number[]): number => {
    const sum = cosineSum();
    sum.add(a, b);
    return sum.cosine();
  };
  expect(of([0, 0], [0, 0])).toBe(1);
  expect(of([0, 0], [1, 0])).toBe(0);
  expect(of([Number.NaN], [1])).toBeNaN();
});
