import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigError, DataError } from "../../util/errors.ts";
import { accuracy } from "./accuracy.ts";
import { calibrationError } from "./calibration.ts";
import { confusion } from "./confusion.ts";
import { entitiesOf } from "./entities.ts";
import { entityF1 } from "./entityScores.ts";
import { matthews } from "./matthews.ts";
import { f1, precision, recall } from "./precisionRecall.ts";

const quick = { resamples: 2 };
const label = fc.constantFrom("a", "b", "c");
const examples = fc.array(fc.tuple(label, label), { minLength: 1, maxLength: 30 });
const split = (pairs: readonly (readonly [string, string])[]) =>
  [pairs.map(([p]) => p), pairs.map(([, r]) => r)] as const;

test("figures of one label an example keep their bounds and identities", () => {
  fc.assert(
    fc.property(examples, (pairs) => {
      const [predictions, references] = split(pairs);
      const right = accuracy.measure(predictions, references).value;
      for (const metric of [precision, recall, f1]) {
        expect(metric({ average: "micro" }).measure(predictions, references, quick).value).toBe(right);
      }
      expect(recall({ average: "weighted" }).measure(predictions, references, quick).value).toBeCloseTo(
        right,
        12,
      );
      const correlated = matthews.measure(predictions, references, quick).value;
      expect(Math.abs(correlated)).toBeLessThanOrEqual(1 + 1e-12);
      expect(matthews.measure(references, predictions, quick).value).toBeCloseTo(correlated, 12);
    }),
  );
});

test("names of classes are nothing to a figure", () => {
  const renamed = (side: readonly string[]) => side.map((c) => ({ a: 7, b: "z", c: 1 })[c]!);
  fc.assert(
    fc.property(examples, (pairs) => {
      const [predictions, references] = split(pairs);
      for (const metric of [f1(), f1({ average: "weighted" })]) {
        const { value } = metric.measure(predictions, references, quick);
        expect(metric.measure(renamed(predictions), renamed(references), quick).value).toBeCloseTo(value, 12);
      }
    }),
  );
});

test("intervals hold the value; ten right of ten leave doubt", () => {
  const references = Array.from({ length: 200 }, (_, i) => (i % 3 ? "a" : "b"));
  const predictions = references.map((r, i) => (i % 7 ? r : "a"));
  for (const metric of [f1(), matthews, accuracy]) {
    const { value, low, high, n } = metric.measure(predictions, references);
    expect(n).toBe(200);
    expect(low).toBeLessThan(value);
    expect(high).toBeGreaterThan(value);
    expect(high - low).toBeLessThan(0.25);
  }
  expect(accuracy.measure(references.slice(0, 10), references.slice(0, 10)).low).toBeCloseTo(0.7225, 4);
});

test("a class that does not occur is refused, with those that do", () => {
  expect(() => f1({ average: { of: "yes" } }).measure(["a"], ["b"])).toThrow(DataError);
  expect(() => confusion(["a"], ["b"], ["a"])).toThrow('no example has or gets the label "b"');
});

test("tags that do not follow one another are still read, unless strictly", () => {
  const tags = ["I-PER", "I-PER", "O", "U-LOC", "B-LOC", "L-LOC"];
  expect(entitiesOf(tags)).toEqual([
    { type: "PER", start: 0, end: 2 },
    { type: "LOC", start: 3, end: 4 },
    { type: "LOC", start: 4, end: 6 },
  ]);
  expect(entitiesOf(tags, "BILOU").map(({ start }) => start)).toEqual([3, 4]);
});

test("what is no tag, and sentences of two lengths, are refused", () => {
  expect(() => entitiesOf(["PER"])).toThrow('"PER" is no tag of an entity');
  expect(() => entitiesOf(["S-PER"], "IOB2")).toThrow(DataError);
  expect(() => entitiesOf(["Bird"])).toThrow(DataError);
  expect(() => entityF1().measure([["O"], ["O"]], [["O"], ["O", "O"]])).toThrow(
    "example 2 has 1 predicted tags for 2 words",
  );
});

test("a confidence that is no probability is refused", () => {
  const guess = (confidence: number) => [{ label: "a", confidence }];
  expect(() => calibrationError().measure(guess(1.1), ["a"])).toThrow("confidence 1.1");
  expect(() => calibrationError().measure(guess(Number.NaN), ["a"])).toThrow(DataError);
});

test("samples of groups have not all one size, which is nothing to the calibration error", () => {
  const guesses = Array.from({ length: 1500 }, (_, i) => ({ label: "a", confidence: 0.5 + (i % 10) / 1000 }));
  const wrong = guesses.map(() => "b");
  // Never right: the error is the mean confidence.
  const { value, low, high } = calibrationError({ bins: 1 }).measure(guesses, wrong);
  expect(value).toBeCloseTo(0.5045, 12);
  const error = (1.96 * Math.sqrt(99 / 12)) / 1000 / Math.sqrt(1500);
  for (const side of [value - low, high - value]) {
    expect(side).toBeGreaterThan(0.8 * error);
    expect(side).toBeLessThan(1.2 * error);
  }
});

test("a number of bins that is none is refused", () => {
  const measure = (bins: number) =>
    calibrationError({ bins }).measure([{ label: "a", confidence: 1 }], ["a"]);
  expect(() => measure(0)).toThrow(ConfigError);
  expect(() => measure(Number.POSITIVE_INFINITY)).toThrow(ConfigError);
  expect(() => measure(1.5)).toThrow('field "bins"');
});
