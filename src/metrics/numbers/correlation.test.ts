import fc from "fast-check";
import { expect, test } from "vitest";
import { DataError } from "../../util/errors.ts";
import { pearson } from "./pearson.ts";
import { spearman } from "./spearman.ts";

const quick = { resamples: 2 };

test("Spearman's sees order alone", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: 0, max: 5 })), {
        minLength: 3,
        selector: ([x]) => x,
      }),
      (pairs) => {
        const [x, y] = [pairs.map(([a]) => a), pairs.map(([, b]) => b)];
        fc.pre(y.some((b) => b !== y[0]));
        const { value } = spearman.measure(x, y, quick);
        expect(Math.abs(value)).toBeLessThanOrEqual(1);
        const grown = x.map((a) => Math.exp(a / 50));
        expect(spearman.measure(grown, y, quick).value).toBeCloseTo(value, 12);
        expect(
          spearman.measure(
            grown.map((a) => -a),
            y,
            quick,
          ).value,
        ).toBeCloseTo(-value, 12);
      },
    ),
  );
});

test("intervals hold the value and narrow with the examples", () => {
  const x = Array.from({ length: 1200 }, (_, i) => Math.sin(7 * i));
  const y = x.map((a, i) => a + Math.cos(11 * i));
  for (const metric of [pearson, spearman]) {
    const few = metric.measure(x.slice(0, 40), y.slice(0, 40));
    const many = metric.measure(x, y);
    expect(few.low).toBeLessThan(few.value);
    expect(few.high).toBeGreaterThan(few.value);
    expect(many.high - many.low).toBeLessThan((few.high - few.low) / 3);
  }
});

test("constant predictions tell nothing; constant references are an error", () => {
  for (const metric of [pearson, spearman]) {
    expect(metric.measure([0.1, 0.1, 0.1], [1, 2, 3]).value).toBe(0);
    expect(() => metric.measure([1, 2, 3], [4, 4, 4])).toThrow(DataError);
    expect(() => metric.measure([1], [4])).toThrow("nothing can correlate");
    expect(() => metric.measure([1, Number.NaN], [4, 5])).toThrow("prediction 2 is NaN");
  }
});
