/** The design against the process's own variances, and where it begins. */
import { expect, test } from "vitest";
import { varianceReduction } from "./design.ts";
import { posterior } from "./gp.ts";

const kernel = { inverse: [1, 1], scale: 1, noise: 0.01 };
const nominal = [false, true];
const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((x) => [0, 1].map((y) => [x, y]));

test("what a measurement lowers the variance by is what the process says with it and without it", () => {
  const known = [
    [0.3, 0],
    [0.9, 1],
    [0.9, 1],
  ];
  const total = (x: readonly (readonly number[])[]): number => {
    const at = posterior({ x, y: x.map(() => 0), nominal }, kernel);
    return grid.reduce((sum, point) => sum + at(point).variance, 0);
  };
  const lowered = varianceReduction(grid, known, nominal);
  for (const [i, point] of grid.entries()) {
    expect(lowered[i]).toBeCloseTo(total(known) - total([...known, point]), 9);
  }
});

test("the first one is in the middle; the next one among the other choices, not beside it", () => {
  const best = (known: readonly (readonly number[])[]): readonly number[] => {
    const lowered = varianceReduction(grid, known, nominal);
    return grid[lowered.indexOf(Math.max(...lowered))]!;
  };
  const first = best([]);
  expect(first[0]).toBe(0.5);
  const second = best([first]);
  expect(second[1]).not.toBe(first[1]);
  const third = best([first, second]);
  expect(Math.abs(third[0]! - 0.5)).toBeGreaterThan(0);
});
