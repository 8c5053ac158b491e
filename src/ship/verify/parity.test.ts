import { expect, test } from "vitest";
import { requireParity } from "./parity.ts";

const figures = (maxLogitDiff: number) => ({
  maxLogitDiff,
  cosine: 1,
  topTokenAgreement: 1,
  firstTokenAgreement: 1,
  greedyAgreement: 1,
  prompts: 1,
  tokens: 1,
});

test("a float32 graph that computes something else is not shipped", () => {
  expect(() => requireParity(figures(5e-6))).not.toThrow();
  expect(() => requireParity(figures(0.01))).toThrow(/differs from the trained one by 0\.01/);
  expect(() => requireParity(figures(Number.NaN))).toThrow(/NaN/);
});
