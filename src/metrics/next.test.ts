import { expect, test } from "vitest";
import { rng } from "../util/rng.ts";
import { nextOf, spreadOf, studentT } from "./next.ts";

test("the percentile of Student's t is scipy's", () => {
  // scipy.stats.t.ppf(0.975, degrees)
  const known = { 1: 12.7062, 3: 3.1824, 5: 2.5706, 6: 2.4469, 10: 2.2281, 30: 2.0423, 120: 1.9799 };
  for (const [degrees, value] of Object.entries(known)) {
    expect(Math.abs(studentT(Number(degrees)) - value)).toBeLessThan(2e-3);
  }
  expect(studentT(0)).toBe(Number.POSITIVE_INFINITY);
});

test("the next of seven lies in the interval of six in about 95 of 100 series, also by others' spread", () => {
  const random = rng(1, "next");
  const draw = (middle: number): number => middle * Math.exp(0.1 * random.normal());
  const series = (middle: number, n: number): number[] => Array.from({ length: n }, () => draw(middle));
  let [own, others] = [0, 0];
  const rounds = 4000;
  for (let i = 0; i < rounds; i++) {
    const six = nextOf(series(3, 6));
    const next = draw(3);
    if (six.low <= next && next <= six.high) own++;
    const one = nextOf(series(20, 1), spreadOf([series(3, 6), series(5, 6)]));
    const later = draw(20);
    if (one.low <= later && later <= one.high) others++;
  }
  for (const hits of [own, others]) expect(Math.abs(hits / rounds - 0.95)).toBeLessThan(0.012);
});

test("the value is the middle one, and of one alone nothing is known of the next", () => {
  expect(nextOf([1, 2, 400])).toMatchObject({ value: 2, n: 3 });
  expect(nextOf([2, 8]).value).toBe(4);
  expect(nextOf([5])).toEqual({
    value: 5,
    n: 1,
    low: Number.NEGATIVE_INFINITY,
    high: Number.POSITIVE_INFINITY,
  });
});
