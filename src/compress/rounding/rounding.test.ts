import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rng } from "../../util/rng.ts";
import { type Codes, dequantized, type GridOptions, packedParts, type Rows } from "./codes.ts";
import { outputError, weightedError } from "./error.ts";
import { gptq } from "./gptq.ts";
import { hqq } from "./hqq.ts";
import { type RoundingMethod, roundingMethods } from "./methods.ts";
import { momentsOf } from "./moments.ts";
import { nearest } from "./nearest.ts";
import { scaleSearch } from "./scaleSearch.ts";

const methods: Readonly<Record<string, RoundingMethod>> = roundingMethods;

/** A matrix with a few large numbers, and inputs of unlike strength that go together. */
const drawn = (seed: number, n: number, k: number, count: number) => {
  const random = rng(seed, "rounding");
  const values = Float32Array.from(
    { length: n * k },
    () => random.normal() * (random.uniform() < 0.02 ? 5 : 1),
  );
  const strength = Float64Array.from({ length: k }, () => Math.exp(1.5 * random.normal()));
  const x = Float64Array.from({ length: count * k }, (_, i) => random.normal() * strength[i % k]!);
  for (let r = 0; r < count; r++) {
    for (let i = 1; i < k; i++) x[r * k + i]! += 0.7 * x[r * k + i - 1]!;
  }
  return { rows: { n, k, values } satisfies Rows, moments: momentsOf(x, k) };
};

const grids = fc.record({
  bits: fc.constantFrom(2, 3, 4, 8) as fc.Arbitrary<GridOptions["bits"]>,
  block: fc.constantFrom(8, 32, 40, 128),
  symmetric: fc.boolean(),
  seed: fc.integer({ min: 1, max: 1e6 }),
  k: fc.constantFrom(7, 32, 40, 70),
});

const inside = ({ q, scale, bits }: Codes): void => {
  expect(Math.max(...q)).toBeLessThan(2 ** bits);
  expect(scale.every((s) => Number.isFinite(s) && s !== 0)).toBe(true);
};

describe("every method", () => {
  test("gives codes of its bits and finite scales, and scale search no more weighted error than rounding to nearest", () => {
    fc.assert(
      fc.property(grids, ({ seed, k, ...options }) => {
        const { rows, moments } = drawn(seed, 3, k, 50);
        for (const method of Object.values(methods)) inside(method.round(rows, options, moments));
        const error = (codes: Codes) => weightedError(rows, dequantized(codes), moments.squares);
        const plain = error(nearest(rows, options));
        expect(error(scaleSearch(rows, options, moments.squares))).toBeLessThanOrEqual(plain * (1 + 1e-6));
        const alike = (codes: Codes) => weightedError(rows, dequantized(codes));
        expect(alike(scaleSearch(rows, options))).toBeLessThanOrEqual(
          alike(nearest(rows, options)) * (1 + 1e-6),
        );
      }),
      { numRuns: 60, seed: 5 },
    );
  });

  test("rounds what is on a grid to itself", () => {
    const values = Float32Array.from({ length: 64 }, (_, i) => ((i * 7) % 16) - 8);
    for (const [name, method] of Object.entries(methods)) {
      const got = dequantized(method.round({ n: 2, k: 32, values }, { bits: 4, block: 32 }));
      for (const [i, v] of values.entries()) expect(got[i], name).toBeCloseTo(v, 3);
    }
  });
});

describe("GPTQ", () => {
  const bits = [2, 3, 4] as const;
  test.each(bits)(
    "of %i bits leaves less error of the outputs than rounding to nearest and scale search",
    (b) => {
      const { rows, moments } = drawn(b, 16, 64, 400);
      const options = { bits: b, block: 32 };
      const error = (codes: Codes) => outputError(rows, dequantized(codes), moments);
      const found = error(gptq(rows, moments, options));
      expect(found).toBeLessThan(0.8 * error(nearest(rows, options)));
      expect(found).toBeLessThan(0.9 * error(scaleSearch(rows, options, moments.squares)));
    },
  );

  test("damps moments that are singular and says how much; inputs that are always 0 get the code of 0", () => {
    const x = Array.from({ length: 5 * 12 }, (_, i) => (i % 12 < 3 ? 0 : Math.sin(i)));
    const moments = momentsOf(x, 12);
    const rows = { n: 2, k: 12, values: Float32Array.from({ length: 24 }, (_, i) => Math.cos(i)) };
    const { damping, ...codes } = gptq(rows, moments, { bits: 4, block: 12, damping: 0 });
    expect(damping).toBeGreaterThan(0);
    expect(dequantized(codes).filter((_, i) => i % 12 < 3)).toEqual(new Float32Array(6));
    expect(outputError(rows, dequantized(codes), moments)).toBeLessThan(0.1);
    moments.gram[40] = Number.NaN;
    moments.gram[13 * 3] = Number.NaN;
    expect(() => gptq(rows, moments, { bits: 4 })).toThrow(/not finite/);
  });
});

test("HQQ leaves a smaller sum of |error|^0.7 than rounding to nearest where there are outliers", () => {
  const { rows } = drawn(3, 32, 64, 2);
  const options = { bits: 3, block: 64 } as const;
  const loss = (codes: Codes) =>
    dequantized(codes).reduce((sum, v, i) => sum + Math.abs(v - rows.values[i]!) ** 0.7, 0);
  expect(loss(hqq(rows, options))).toBeLessThan(loss(nearest(rows, options)));
});

test("a symmetric grid takes the sign that has a code more for the larger numbers", () => {
  const values = Float32Array.from([8, -7, 1, 0]);
  const { q, scale, zero } = nearest({ n: 1, k: 4, values }, { bits: 4, symmetric: true });
  expect([Array.from(q), scale[0], zero[0]]).toEqual([[0, 15, 7, 8], -1, 8]);
});

test("codes of a whole row pack into blocks that share its scale; blocks that do not divide are refused", () => {
  const { rows } = drawn(4, 3, 70, 2);
  const whole = nearest(rows, { bits: 4 });
  const parts = packedParts(whole, 32);
  expect(parts.q!.shape).toEqual([3, 3, 16]);
  expect(Array.from(parts.scale!.data, Number)).toEqual([...whole.scale].flatMap((s) => [s, s, s]));
  const first = Array.from(parts.q!.data, Number).flatMap((byte) => [byte & 15, byte >> 4]);
  expect(first.slice(0, 70)).toEqual(Array.from(whole.q.slice(0, 70)));
  expect(() => packedParts(nearest(rows, { bits: 4, block: 48 }), 32)).toThrow(
    /48 do not divide into blocks of 32/,
  );
  expect(() => nearest(rows, { bits: 4, block: 0 })).toThrow(/quantize.block.*whole number/);
});
