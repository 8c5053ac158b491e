import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../util/errors.ts";
import { type ScheduleOptions, scheduleOf } from "./schedule.ts";

const kinds = ["constant", "linear", "cosine", "wsd", "inverseSqrt"] as const;
const base = { lrPeak: 1, lrMin: 0.1, warmup: 4, steps: 24 };

describe("values", () => {
  test.each<[ScheduleOptions["kind"], Partial<ScheduleOptions>, [step: number, lr: number][]]>([
    [
      "constant",
      {},
      [
        [4, 1],
        [23, 1],
      ],
    ],
    [
      "linear",
      {},
      [
        [4, 1],
        [14, 0.55],
        [24, 0.1],
        [99, 0.1],
      ],
    ],
    [
      "cosine",
      {},
      [
        [4, 1],
        [9, 0.55 + 0.45 * Math.SQRT1_2],
        [14, 0.55],
        [24, 0.1],
        [99, 0.1],
      ],
    ],
    [
      "wsd",
      { decayShare: 0.25 },
      [
        [4, 1],
        [18, 1],
        [21, 0.55],
        [24, 0.1],
        [99, 0.1],
      ],
    ],
    [
      "wsd",
      { decayShare: 0.25, decay: "1-sqrt" },
      [
        [18, 1],
        [19.5, 0.55],
        [24, 0.1],
      ],
    ],
    [
      "wsd",
      { decayShare: 1, lrMin: 0 },
      [
        [4, 1],
        [14, 0.5],
        [24, 0],
      ],
    ],
    [
      "wsd",
      { decayShare: 0 },
      [
        [4, 1],
        [24, 1],
      ],
    ],
    [
      "inverseSqrt",
      {},
      [
        [4, 1],
        [16, 0.5],
        [400, 0.1],
        [99999, 0.1],
      ],
    ],
    [
      "inverseSqrt",
      { warmup: 0 },
      [
        [0, 1],
        [3, 0.5],
      ],
    ],
  ])("%s %o", (kind, options, points) => {
    const schedule = scheduleOf({ ...base, kind, ...options });
    for (const [step, lr] of points) expect(schedule(step), `step ${step}`).toBeCloseTo(lr, 12);
  });

  test.each(kinds)("%s warms up as nanoGPT does", (kind) => {
    const schedule = scheduleOf({ ...base, kind });
    expect([0, 1, 2, 3, 4].map(schedule)).toEqual([0.2, 0.4, 0.6, 0.8, 1]);
  });
});

test("every schedule is finite, between 0 and the peak, and falls after the warm-up", () => {
  const options = fc
    .record({
      kind: fc.constantFrom(...kinds),
      lrPeak: fc.double({ min: 0, max: 10, noNaN: true }),
      minShare: fc.double({ min: 0, max: 1, noNaN: true }),
      steps: fc.integer({ min: 1, max: 500 }),
      warmShare: fc.double({ min: 0, max: 1, noNaN: true }),
      decayShare: fc.double({ min: 0, max: 1, noNaN: true }),
      decay: fc.constantFrom("linear" as const, "1-sqrt" as const),
    })
    .map(({ minShare, warmShare, ...o }) => ({
      ...o,
      lrMin: o.lrPeak * minShare,
      warmup: Math.floor(o.steps * warmShare),
    }));
  fc.assert(
    fc.property(options, (o) => {
      const schedule = scheduleOf(o);
      const slack = o.lrPeak * 1e-12;
      const rates = Array.from({ length: o.steps + 3 }, (_, i) => schedule(i));
      for (const [i, lr] of rates.entries()) {
        expect(lr).toBeGreaterThanOrEqual(0);
        expect(lr).toBeLessThanOrEqual(o.lrPeak + slack);
        if (i > o.warmup) expect(lr).toBeLessThanOrEqual(rates[i - 1]! + slack);
        if (i > 0 && i < o.warmup) expect(lr).toBeGreaterThanOrEqual(rates[i - 1]!);
      }
    }),
  );
});

test.each<[string, Partial<ScheduleOptions>]>([
  ["lrPeak", { lrPeak: -1 }],
  ["lrPeak", { lrPeak: Number.NaN }],
  ["lrMin", { lrMin: 2 }],
  ["steps", { steps: 0 }],
  ["warmup", { warmup: 25 }],
  ["warmup", { warmup: 0.5 }],
  ["decayShare", { decayShare: 1.5 }],
  ["kind", { kind: "exponential" as "linear" }],
  ["decay", { decay: "toString" as "linear" }],
])("a wrong %s is named: %o", (field, options) => {
  const make = () => scheduleOf({ ...base, kind: "wsd", ...options });
  expect(make).toThrow(ConfigError);
  expect(make).toThrow(`field "${field}"`);
});
