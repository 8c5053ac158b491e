import { expect, test } from "vitest";
import { rng } from "../util/rng.ts";
import { middleOf, nextOf, spreadOf, studentT, typicalOf } from "./next.ts";

test("the percentile of Student's t is scipy's", () => {
  // scipy.stats.t.ppf(0.975, degrees) and ppf(0.9975, degrees)
  const known = {
    1: [12.7062047, 127.3213365],
    2: [4.3026527, 14.0890472],
    3: [3.1824463, 7.4533185],
    5: [2.5705818, 4.7733406],
    6: [2.4469119, 4.316827],
    10: [2.2281389, 3.581406],
    30: [2.0422725, 3.029798],
    120: [1.9799304, 2.859865],
  };
  for (const [degrees, [usual, wide]] of Object.entries(known)) {
    expect(studentT(Number(degrees))).toBeCloseTo(usual!, 6);
    expect(studentT(Number(degrees), 0.995)).toBeCloseTo(wide!, 5);
  }
  expect(studentT(0)).toBe(Number.POSITIVE_INFINITY);
});

test("all of the next ten lie in their interval in 95 of 100 series or more, the middle in 95", () => {
  const random = rng(1, "next");
  const draw = (middle: number): number => Math.log(middle) + 0.1 * random.normal();
  const series = (middle: number, n: number): number[] => Array.from({ length: n }, () => draw(middle));
  let [own, others, middles] = [0, 0, 0];
  const rounds = 2000;
  const ten = (middle: number, { low, high }: { low: number; high: number }): boolean =>
    series(middle, 10).every((x) => low <= Math.exp(x) && Math.exp(x) <= high);
  for (let i = 0; i < rounds; i++) {
    const seven = series(3, 7);
    const spread = spreadOf([seven]);
    if (ten(3, nextOf(middleOf(seven, spread), spread))) own++;
    const typical = typicalOf(middleOf(seven, spread), spread.degrees);
    if (typical.low <= 3 && 3 <= typical.high) middles++;
    const common = spreadOf([series(3, 6), series(5, 6)]);
    if (ten(20, nextOf(middleOf(series(20, 1), common), common))) others++;
  }
  for (const hits of [own, others]) expect(hits / rounds).toBeGreaterThan(0.945);
  for (const hits of [own, others]) expect(hits / rounds).toBeLessThan(0.985);
  expect(Math.abs(middles / rounds - 0.95)).toBeLessThan(0.02);
});

test("the value is the middle one, and of one alone nothing is known of the next", () => {
  const of = (...values: number[]) => {
    const logs = values.map(Math.log);
    return nextOf(middleOf(logs, spreadOf([logs])), spreadOf([logs]));
  };
  expect(of(1, 2, 400).value).toBeCloseTo(2, 12);
  expect(of(2, 8).value).toBeCloseTo(4, 12);
  expect(of(5)).toMatchObject({ n: 1, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY });
});
