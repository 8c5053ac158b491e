import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { interleave, mixSchedule, planMix, temperatureWeights } from "./mix.ts";

const sources = [
  { name: "web", documents: 1000, tokens: 100_000 },
  { name: "books", documents: 50, tokens: 20_000 },
  { name: "code", documents: 200, tokens: 10_000 },
];

const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);

describe("weights", () => {
  test("by temperature: 1 is in proportion, more is more even", () => {
    expect(temperatureWeights([300, 100], 1)).toEqual([0.75, 0.25]);
    const [a, b] = temperatureWeights([10_000, 100], 2);
    expect(a! / b!).toBeCloseTo(10, 10);
    expect(temperatureWeights([10_000, 100], 1e9)[0]).toBeCloseTo(0.5, 6);
    expect(() => temperatureWeights([1], 0)).toThrow(/temperature/);
  });
});

describe("plan", () => {
  test("takes every document once without options", () => {
    const plan = planMix(sources);
    expect(plan.rows.map((r) => [r.draws, r.epochs])).toEqual([
      [1000, 1],
      [50, 1],
      [200, 1],
    ]);
    expect(plan).toMatchObject({ draws: 1250, tokens: 130_000, missing: 0 });
  });

  test("meets weights within a document", () => {
    const plan = planMix(sources, { weights: { web: 2, books: 1, code: 1 }, tokens: 60_000 });
    expect(plan.rows.map((r) => r.asked)).toEqual([0.5, 0.25, 0.25]);
    expect(plan.rows.map((r) => r.tokens)).toEqual([30_000, 15_200, 15_000]);
    expect(plan.rows.map((r) => r.epochs)).toEqual([0.3, 0.76, 1.5]);
    expect(sum(plan.rows.map((r) => r.share))).toBeCloseTo(1, 12);
  });

  test("keeps to the limit on epochs: others give what one cannot", () => {
    const plan = planMix(sources, { weights: { web: 1, code: 3 }, tokens: 80_000, maxEpochs: 2 });
    expect(plan.rows.map((r) => r.tokens)).toEqual([60_000, 0, 20_000]);
    expect(plan.rows.map((r) => r.capped)).toEqual([false, false, true]);
    const short = planMix(sources, { weights: { books: 1 }, tokens: 100_000, maxEpochs: 2 });
    expect(short).toMatchObject({ tokens: 40_000, missing: 60_000 });
  });

  test("properties: budget, limits, proportions", () => {
    const source = fc.record({
      documents: fc.integer({ min: 1, max: 500 }),
      tokens: fc.integer({ min: 500, max: 100_000 }),
      weight: fc.double({ min: 0.01, max: 10, noNaN: true }),
    });
    fc.assert(
      fc.property(
        fc.array(source, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1000, max: 500_000 }),
        fc.constantFrom(1, 2, 4.5),
        (rows, tokens, maxEpochs) => {
          const list = rows.map((r, i) => ({ ...r, name: `s${i}` }));
          const weights = Object.fromEntries(list.map((r) => [r.name, r.weight]));
          const plan = planMix(list, { weights, tokens, maxEpochs });
          // Each source is rounded to whole documents.
          const slack = sum(list.map((r) => r.tokens / r.documents));
          expect(Math.abs(plan.tokens + plan.missing - tokens)).toBeLessThanOrEqual(slack + 1e-6);
          for (const row of plan.rows) expect(row.epochs).toBeLessThanOrEqual(maxEpochs + 1e-9);
          if (plan.missing > slack) {
            for (const row of plan.rows)
              expect(row.epochs).toBeGreaterThan(maxEpochs - 1 / row.documents - 1e-9);
          }
        },
      ),
    );
  });

  test("wrong input is refused", () => {
    expect(() => planMix([])).toThrow(/no sources/);
    expect(() => planMix(sources, { weights: { wbe: 1 } })).toThrow(/no such source/);
    expect(() => planMix(sources, { weights: { web: -1 } })).toThrow(/0 or more/);
    expect(() => planMix(sources, { weights: { web: 0 } })).toThrow(/all 0/);
    expect(() => planMix([...sources, sources[0]!])).toThrow(/twice/);
    expect(() => planMix([{ name: "a", documents: 0, tokens: 0 }])).toThrow(/no text/);
    expect(() => planMix(sources, { tokens: 0 })).toThrow(/tokens/);
  });
});

describe("schedule", () => {
  const rates = fc
    .array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 6 })
    .filter((list) => sum(list) > 0);

  test("the first draws have exactly the rates, every prefix nearly", () => {
    fc.assert(
      fc.property(rates, fc.nat(), (list, seed) => {
        const at = interleave(list, seed);
        const total = sum(list);
        const seen = list.map(() => 0);
        for (let i = 0; i < total; i++) {
          const { source, turn } = at(i);
          expect(turn).toBe(seen[source]!++);
          for (const [s, rate] of list.entries()) {
            expect(Math.abs(seen[s]! - ((i + 1) * rate) / total)).toBeLessThan(1 + list.length / 2);
          }
        }
        expect(seen).toEqual(list);
      }),
      { numRuns: 50 },
    );
  });

  test("is a pure function of (seed, index), also for rates that are not whole and far out", () => {
    const list = [0.7, 0.001, 0.299];
    const at = interleave(list, 9);
    const far = Array.from({ length: 300 }, (_, i) => at(5_000_000 + i));
    expect(Array.from({ length: 300 }, (_, i) => interleave(list, 9)(5_000_299 - i)).reverse()).toEqual(far);
    for (const s of [0, 2]) {
      const turns = far.filter((d) => d.source === s).map((d) => d.turn);
      expect(turns).toEqual(turns.map((_, i) => turns[0]! + i));
      expect(Math.abs(turns[0]! - 5_000_000 * list[s]!)).toBeLessThan(3);
    }
    expect(() => interleave([0, 0], 1)).toThrow(/rates/);
  });

  test("each epoch of a source has each of its documents once, in another order", () => {
    const plan = planMix(sources, { weights: { web: 1, books: 1 }, tokens: 80_000 });
    const at = mixSchedule(plan, 4);
    const all = Array.from({ length: plan.draws }, (_, i) => at(i));
    const books = all.filter((d) => d.source === 1);
    expect(books).toHaveLength(100);
    const epoch = (n: number) => books.filter((d) => d.epoch === n).map((d) => d.document);
    for (const n of [0, 1])
      expect([...epoch(n)].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(epoch(0)).not.toEqual(epoch(1));
    expect(all.filter((d) => d.source === 2)).toEqual([]);
    // Any index, in any order, from a fresh schedule.
    for (const i of [plan.draws - 1, 7, 300]) expect(mixSchedule(plan, 4)(i)).toEqual(all[i]);
    expect(mixSchedule(plan, 5)(0)).not.toEqual(undefined);
    expect(() => at(plan.draws)).toThrow(/index/);
  });
});
