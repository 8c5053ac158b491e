import fc from "fast-check";
import { expect, test } from "vitest";
import { spelledJson, spellingsIn } from "./spelling.ts";

const again = (text: string, value: unknown = JSON.parse(text)) =>
  spelledJson(value, { spellings: spellingsIn(text) });

test("numbers stay as they were spelled, wherever they stand", () => {
  const text = `{
  "a": 1.0,
  "b": [
    2,
    2.0,
    [
      1e-05,
      {
        "a": 4.00
      }
    ],
    "x: 3.0, {[\\"7.0\\\\"
  ],
  "c\\"d": -0.0,
  "long": 1000000000000000019884624838656,
  "none": {},
  "nothing": [],
  "flag": true
}`;
  expect(again(text)).toBe(text);
});

test("a number that has changed is written anew", () => {
  const text = '{"a": 1.0, "b": [1.0, 3.0], "c": 7}';
  const changed = { b: [1, 4], a: 2, c: 7, d: 1 };
  expect(JSON.parse(again(text, changed))).toEqual(changed);
  expect(again(text, changed)).toMatch(/1\.0,\s+4\s/);
});

test("fields that are real have a point, unless their source has none", () => {
  const reals = new Set(["temperature"]);
  expect(spelledJson({ temperature: 1, top_k: 1 }, { reals })).toBe(
    '{\n  "temperature": 1.0,\n  "top_k": 1\n}',
  );
  const spellings = spellingsIn('{"temperature": 1}');
  expect(spelledJson({ temperature: 1 }, { reals, spellings })).toBe('{\n  "temperature": 1\n}');
  expect(spelledJson({ temperature: 1e21 }, { reals })).toBe('{\n  "temperature": 1e+21\n}');
});

test("without spellings it is what JSON.stringify writes", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const value = JSON.parse(text);
      expect(spelledJson(value)).toBe(JSON.stringify(value, null, 2));
      expect(JSON.parse(again(text))).toEqual(value);
    }),
  );
  expect(spelledJson({ a: undefined, b: Number.NaN, c: [undefined] })).toBe(
    JSON.stringify({ a: undefined, b: Number.NaN, c: [undefined] }, null, 2),
  );
});
