import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rng } from "../../util/rng.ts";
import { dequantized, type GridOptions, type Rows } from "./codes.ts";
import { outputError } from "./error.ts";
import { momentsOf, nearOf, RUN, type SecondMoments } from "./moments.ts";
import { scaleSearch } from "./scaleSearch.ts";
import { together } from "./together.ts";

/** A matrix, and inputs of which each goes with the one before. */
const drawn = (seed: number, { n, k, count }: { n: number; k: number; count: number }) => {
  const random = rng(seed, "together");
  const values = Float32Array.from({ length: n * k }, () => random.normal());
  const x = Float64Array.from({ length: count * k }, () => random.normal());
  for (let at = 0; at < x.length; at++) if (at % k > 0) x[at]! += 0.9 * x[at - 1]! + 0.3;
  return { rows: { n, k, values } satisfies Rows, moments: momentsOf(x, k) };
};

/** What `together` makes smaller: the outputs' squared error, by 0.8 of what inputs of one run share. */
const errorOf = ({ n, k, values }: Rows, after: Float32Array, { gram }: SecondMoments): number => {
  let sum = 0;
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < k; i++) {
      for (let j = i - (i % RUN); j < Math.min(k, i - (i % RUN) + RUN); j++) {
        const [a, b] = [row * k + i, row * k + j];
        const share = i === j ? 1 : SHARED;
        sum += share * gram[i * k + j]! * (values[a]! - after[a]!) * (values[b]! - after[b]!);
      }
    }
  }
  return sum;
};

const SHARED = 0.8;

const grids = fc.record({
  bits: fc.constantFrom(2, 3, 4, 8) as fc.Arbitrary<GridOptions["bits"]>,
  block: fc.constantFrom(8, 32, 40, 64),
  symmetric: fc.boolean(),
  seed: fc.integer({ min: 1, max: 1e6 }),
  k: fc.constantFrom(7, 32, 63, 70),
});

describe("errors that meet", () => {
  test("cost less together, on the same grids, until no code's change by 1 takes anything off", () => {
    fc.assert(
      fc.property(grids, ({ seed, k, ...options }) => {
        const { rows, moments } = drawn(seed, { n: 3, k, count: 40 });
        const first = scaleSearch(rows, options, moments.squares);
        const found = together(rows, first, moments);
        expect([found.scale, found.zero]).toEqual([first.scale, first.zero]);
        const error = errorOf(rows, dequantized(found), moments);
        expect(error).toBeLessThanOrEqual(errorOf(rows, dequantized(first), moments) * (1 + 1e-9));
        for (let at = 0; at < rows.n * k; at += 5) {
          for (const by of [-1, 1]) {
            const code = found.q[at]! + by;
            if (code < 0 || code >= 2 ** options.bits) continue;
            const q = found.q.with(at, code);
            expect(errorOf(rows, dequantized({ ...found, q }), moments)).toBeGreaterThan(error * (1 - 1e-5));
          }
        }
      }),
      { numRuns: 60, seed: 5 },
    );
  });

  test("leave the outputs of inputs that go together a third nearer", () => {
    const { rows, moments } = drawn(1, { n: 64, k: 128, count: 1000 });
    const options = { bits: 4, block: 32 } as const;
    const first = scaleSearch(rows, options, moments.squares);
    const error = (codes: typeof first) => outputError(rows, dequantized(codes), moments);
    expect(error(together(rows, first, moments))).toBeLessThan(0.67 * error(first));
  });

  test("are the same by all second moments and by those within runs; without any the codes stay", () => {
    const { rows, moments } = drawn(2, { n: 8, k: 70, count: 100 });
    const first = scaleSearch(rows, { bits: 4, block: 32 }, moments.squares);
    const found = together(rows, first, moments);
    const { gram: _, ...bare } = moments;
    expect(together(rows, first, { ...bare, near: nearOf(moments) }).q).toEqual(found.q);
    expect(found.q).not.toEqual(first.q);
    expect(together(rows, first, bare)).toBe(first);
    expect(together(rows, first)).toBe(first);
  });

  test("inputs that are always 0 keep their nearest codes", () => {
    const { rows, moments } = drawn(3, { n: 4, k: 32, count: 50 });
    const first = scaleSearch(rows, { bits: 4, block: 32 });
    const none = { ...moments, gram: new Float64Array(32 * 32), squares: new Float64Array(32) };
    expect(together(rows, first, none).q).toEqual(first.q);
  });
});
