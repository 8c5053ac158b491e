import fc from "fast-check";
import { expect, test } from "vitest";
import { type Budget, choose, dominates, type Figures, paretoFront } from "./index.ts";

const objectives = [(c: Figures) => c.lost, (c: Figures) => c.p50Ms, (c: Figures) => c.sizeBytes];
const figure = fc.integer({ min: 1, max: 6 });
const costs = { lost: figure, p50Ms: figure, sizeBytes: figure.map((n) => n * 1e6) };
const candidate = fc.record(costs);
const candidates = fc.array(candidate, { minLength: 1, maxLength: 12 });

test("a front has no dominated point, and all that it leaves out are dominated by one of it", () => {
  fc.assert(
    fc.property(candidates, (all) => {
      const front = paretoFront(all, objectives);
      expect(front.length).toBeGreaterThan(0);
      for (const c of front) expect(all.some((other) => dominates(other, c, objectives))).toBe(false);
      for (const c of all) {
        if (!front.includes(c)) expect(front.some((better) => dominates(better, c, objectives))).toBe(true);
      }
    }),
  );
});

const units = { quality: "bits per byte", step: "token" };
const fits = (c: Figures, { maxMb, maxMs, maxLoss }: Budget): boolean =>
  c.sizeBytes / 1e6 <= (maxMb ?? Number.POSITIVE_INFINITY) &&
  c.p50Ms <= (maxMs ?? Number.POSITIVE_INFINITY) &&
  c.lost <= (maxLoss ?? Number.POSITIVE_INFINITY);

test("what is chosen is within the budget where anything is, and the best of those", () => {
  const limit = fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined });
  fc.assert(
    fc.property(candidates, fc.record({ maxMb: limit, maxMs: limit, maxLoss: limit }), (all, given) => {
      const budget = Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined)) as Budget;
      const { chosen, met, exceeded } = choose(all, budget, units);
      const fitting = all.filter((c) => fits(c, budget));
      expect(met).toBe(fitting.length > 0);
      expect(exceeded.length > 0).toBe(!met);
      if (!met) return;
      expect(fits(chosen, budget)).toBe(true);
      const bounded = budget.maxMb !== undefined || budget.maxMs !== undefined;
      const cost = (c: Figures): number => (bounded ? c.lost : c.sizeBytes);
      expect(cost(chosen)).toBe(Math.min(...fitting.map(cost)));
    }),
  );
});

test("one with a fault is never chosen, whatever it costs and whether or not anything fits", () => {
  const limit = fc.integer({ min: 0, max: 6 });
  const faulty = candidates.map((all) => all.map((c) => ({ ...c, fault: "it is off" })));
  fc.assert(
    fc.property(candidates, faulty, limit, (sound, all, maxMb) => {
      const { chosen } = choose<Figures>([...all, ...sound], { maxMb }, units);
      expect(chosen.fault).toBeUndefined();
      expect(chosen).toBe(choose<Figures>(sound, { maxMb }, units).chosen);
    }),
  );
  const one = [{ lost: 1, p50Ms: 1, sizeBytes: 1, fault: "cosine 0.1" }];
  expect(() => choose(one, {}, units)).toThrow(/no candidate may be chosen: cosine 0\.1/);
});

test("a budget that cannot be is refused by its field", () => {
  const one = [{ lost: 1, p50Ms: 1, sizeBytes: 1 }];
  expect(() => choose(one, { maxMb: -1 }, units)).toThrow(/budget\.maxMb/);
  expect(() => choose(one, { maxMs: Number.NaN }, units)).toThrow(/budget\.maxMs/);
  expect(() => choose([], {}, units)).toThrow(/no candidates/);
});
