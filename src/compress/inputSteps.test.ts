import { expect, test } from "vitest";
import { rng } from "../util/rng.ts";
import { stepsFor } from "./inputSteps.ts";

const [K, N] = [48, 6];
const random = rng(3, "steps");
const data = Float32Array.from({ length: K * N }, () => random.normal());
const matrix = { k: K, n: N, data, stepK: N, stepN: 1 };
/** Two inputs go far; one of them has weights next to nothing. */
const above = Float32Array.from({ length: K }, (_, i) => (i === 5 || i === 9 ? 80 : 1 + random.uniform()));
const below = Float32Array.from({ length: K }, () => random.uniform());
for (let j = 0; j < N; j++) data[9 * N + j]! *= 1e-3;

const range = { below, above };

test("codes reach as far as each input goes", () => {
  const { steps, zero, strong } = stepsFor(range, [matrix]);
  expect(strong).toEqual([]);
  for (const [i, s] of steps.entries()) {
    expect((255 - zero) * s).toBeGreaterThan(above[i]! - s);
    expect(zero * s).toBeGreaterThan(below[i]! - s);
  }
});

test("what is strong with strong weights stands apart, and the steps of all others are shorter", () => {
  const all = stepsFor(range, [matrix]);
  const { steps, strong } = stepsFor(range, [matrix], 1);
  expect(strong).toEqual([5]);
  expect(steps[5]).toBe(1);
  const shares = steps.flatMap((s, i) => (i === 5 ? [] : [s / all.steps[i]!]));
  for (const share of shares) expect(share).toBeCloseTo(shares[0]!, 4);
  expect(shares[0]).toBeLessThan(0.7);
});
