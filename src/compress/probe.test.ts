import { expect, test } from "vitest";
import { divergence } from "./probe.ts";

const logits = [3, 1, -2, 0.5, 0, 4, 1, 1];
const chances = (row: readonly number[]): number[] => {
  const all = row.map(Math.exp);
  const sum = all.reduce((a, b) => a + b, 0);
  return all.map((v) => v / sum);
};
/** Kullback and Leibler's, a mean over rows of four. */
const exact = (a: readonly number[], b: readonly number[]): number => {
  const rows = [0, 4].map((from) => {
    const [p, q] = [chances(a.slice(from, from + 4)), chances(b.slice(from, from + 4))];
    return p.reduce((sum, v, i) => sum + v * Math.log(v / q[i]!), 0);
  });
  return (rows[0]! + rows[1]!) / 2;
};
const between = (a: readonly number[], b: readonly number[]) =>
  divergence(Float32Array.from(a), Float32Array.from(b), 4);

test("small changes of logits diverge as Kullback and Leibler say; what is added to all of a row does nothing", () => {
  const changed = logits.map((v, i) => v + 0.02 * Math.sin(5 * i));
  expect(between(logits, changed) / exact(logits, changed)).toBeCloseTo(1, 1);
  expect(
    between(
      logits,
      logits.map((v) => v + 2),
    ),
  ).toBeCloseTo(0, 12);
  expect(
    between(
      logits,
      logits.map((v, i) => (i === 2 ? v - 50 : v)),
    ),
  ).toBeGreaterThan(0.1);
});
