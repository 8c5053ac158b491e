import { expect, test } from "vitest";
import { sameTexts } from "./sameTexts.ts";

const side = (file: string, ...records: (readonly [unit: number, label?: string])[]) => ({
  rows: records.map((_, i) => ({ id: `${file}:${i + 2}`, fields: {} })),
  examples: records.map(([unit, stratum]) => ({
    ...{ length: 1, parts: {}, unit },
    ...(stratum === undefined ? {} : { stratum }),
  })),
  truncated: 0,
});

test("equal texts are told where they have other labels or stand on both sides", () => {
  const train = side("train.csv", [1, "good"], [2, "bad"], [1, "good"], [1, "bad"]);
  const [clash, both, ...others] = sameTexts(train, side("dev.csv", [3, "good"], [2, "bad"]));
  expect(clash).toMatch(/^1 records .*train\.csv:5 and train\.csv:2/);
  expect(both).toMatch(/^1 of 2 held-out records .*dev\.csv:3/);
  expect(others).toEqual([]);
  expect(sameTexts(side("a", [1], [1]), side("b", [2]))).toEqual([]);
});

test("as many equal hashes as chance gives are no equal texts", () => {
  const many = Array.from({ length: 100_000 }, (_, i) => [i, "x"] as const);
  const held = [[5, "x"] as const, ...many.slice(1).map(([i]) => [i + 200_000, "x"] as const)];
  expect(sameTexts(side("a", ...many), side("b", ...held))).toEqual([]);
});
