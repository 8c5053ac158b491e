/** Magnitude, Wanda and SparseGPT against their authors' algorithms: test/golden/sparsity.py. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { momentsOf } from "../rounding/moments.ts";
import { magnitude } from "./magnitude.ts";
import { type Pattern, patternInWords, patternOf } from "./pattern.ts";
import { sparseGpt } from "./sparseGpt.ts";
import { wanda } from "./wanda.ts";

interface Case {
  readonly pattern: Pattern;
  readonly n: number;
  readonly k: number;
  readonly block: number;
  readonly w: number[];
  readonly x: number[];
  readonly magnitude: number[];
  readonly wanda: number[];
  readonly sparsegpt: number[];
}

const file = new URL("../../../test/golden/sparsity.json", import.meta.url);
const cases = (JSON.parse(readFileSync(file, "utf8")) as Case[]).map(
  (each) => [patternInWords(each.pattern), each] as const,
);

describe.each(cases)("%s", (_, { pattern, n, k, block, ...given }) => {
  const rows = { n, k, values: Float32Array.from(given.w) };
  const moments = momentsOf(given.x, k);

  test("magnitude and Wanda leave the reference's numbers", () => {
    expect(Array.from(magnitude(rows, pattern))).toEqual(Array.from(Float32Array.from(given.magnitude)));
    expect(Array.from(wanda(rows, pattern, moments))).toEqual(Array.from(Float32Array.from(given.wanda)));
  });

  test("SparseGPT leaves the reference's, with what makes up for the others", () => {
    const { values } = sparseGpt(rows, pattern, moments, { block });
    for (const [i, want] of given.sparsegpt.entries()) {
      if (want === 0) expect(values[i]).toBe(0);
      else expect(Math.abs(values[i]! - want)).toBeLessThan(1e-6 + 1e-5 * Math.abs(want));
    }
  });
});

describe("patterns", () => {
  test("shares and groups", () => {
    expect(patternOf("0.5")).toEqual({ share: 0.5 });
    expect(patternOf("2:4")).toEqual({ zeros: 2, of: 4 });
  });
  test.each(["0", "1", "-0.1", "4:2", "4:4", "0:4", "half", "", "NaN"])("%j is refused", (text) => {
    expect(() => patternOf(text)).toThrow(/prune.sparsity.*a share between 0 and 1, or 2:4/);
  });
});
