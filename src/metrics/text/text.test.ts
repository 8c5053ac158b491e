import fc from "fast-check";
import { expect, test } from "vitest";
import { DataError } from "../../util/errors.ts";
import { bleu } from "./bleu.ts";
import { chrf } from "./chrf.ts";

const quick = { resamples: 2 };
const corpus = fc.array(fc.tuple(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" })), {
  minLength: 1,
  maxLength: 8,
});

test.each([bleu(), bleu({ tokenizer: "char" }), chrf(), chrf({ wordOrder: 2 })])(
  "$name $# is from 0 to 100, and the order of examples is nothing to it",
  (metric) => {
    fc.assert(
      fc.property(corpus, (pairs) => {
        const measured = (rows: typeof pairs) =>
          metric.measure(
            rows.map(([p]) => p),
            rows.map(([, r]) => r),
            quick,
          ).value;
        const value = measured(pairs);
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(100 + 1e-9);
        expect(measured([...pairs].reverse())).toBeCloseTo(value, 9);
      }),
    );
  },
);

test("what equals its reference has 100", () => {
  const lines = ["the cat sat down", "and then it slept again"];
  for (const metric of [bleu(), chrf(), chrf({ wordOrder: 2 })]) {
    const { value, low, high } = metric.measure(lines, lines);
    expect(value).toBeCloseTo(100, 10);
    expect(low).toBeCloseTo(100, 10);
    expect(high).toBeCloseTo(100, 10);
  }
});

test("no examples, unequal sides and a missing reference are refused", () => {
  expect(() => bleu().measure([], [])).toThrow(DataError);
  expect(() => bleu().measure(["a"], [])).toThrow("1 predictions for 0 references");
  expect(() => chrf().measure(["a"], [[]])).toThrow("an example without a reference");
});
