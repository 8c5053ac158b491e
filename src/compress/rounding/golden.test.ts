/** GPTQ, AWQ's scales and HQQ against their authors' algorithms: test/golden/rounding.py. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { awqScales } from "./awq.ts";
import { gptq } from "./gptq.ts";
import { hqqFloat } from "./hqq.ts";
import { momentsOf } from "./moments.ts";

interface Case {
  readonly bits: 2 | 3 | 4;
  readonly block: number;
  readonly n: number;
  readonly k: number;
  readonly w: number[];
  readonly other: number[];
  readonly x: number[];
  readonly gptq: number[];
  readonly gptqInOrder: number[];
  readonly awq: {
    readonly loss: number;
    readonly plain: number;
    readonly ratio: number;
    readonly scales: number[];
  };
  readonly hqq: { readonly q: number[]; readonly scale: number[]; readonly zero: number[] };
}

const file = new URL("../../../test/golden/rounding.json", import.meta.url);
const cases = JSON.parse(readFileSync(file, "utf8")) as Case[];

const close = (got: ArrayLike<number>, want: readonly number[], tolerance: number): void => {
  const worst = Math.max(...want.map((v, i) => Math.abs(v - got[i]!) / Math.max(1e-3, Math.abs(v))));
  expect(worst).toBeLessThan(tolerance);
};

describe.each(cases)("$bits bits in blocks of $block", ({ bits, block, n, k, ...given }) => {
  const rows = { n, k, values: Float32Array.from(given.w) };
  const moments = momentsOf(given.x, k);

  test("GPTQ gives the reference's codes, in act order and in the inputs' own", () => {
    const range = { bits, block, grids: "range" } as const;
    expect(Array.from(gptq(rows, moments, range).q)).toEqual(given.gptq);
    expect(Array.from(gptq(rows, moments, { ...range, actOrder: false }).q)).toEqual(given.gptqInOrder);
  });

  test("AWQ finds the reference's power, scales and losses", async () => {
    const both = [rows, { n, k, values: Float32Array.from(given.other) }];
    const found = await awqScales(both, moments, { bits, block });
    expect(found.power).toBeCloseTo(given.awq.ratio, 12);
    close(found.scales, given.awq.scales, 1e-6);
    close([found.error / (2 * n), found.plainError / (2 * n)], [given.awq.loss, given.awq.plain], 1e-4);
  });

  test("HQQ gives the reference's codes, scales and zeros", () => {
    const { q, scale, zero } = hqqFloat(rows, { bits, block });
    expect(Array.from(q)).toEqual(given.hqq.q);
    close(scale, given.hqq.scale, 1e-6);
    close(zero, given.hqq.zero, 1e-6);
  });
});
