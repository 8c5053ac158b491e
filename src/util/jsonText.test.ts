import { expect, test } from "vitest";
import { isDeeper, MAX_DEPTH, parseText } from "./jsonText.ts";

const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

test("a text as deep as the limit is read, a deeper one refused before it is parsed", () => {
  expect(JSON.stringify(parseText(nested(MAX_DEPTH)))).toBe(nested(MAX_DEPTH));
  expect(() => parseText(nested(MAX_DEPTH + 1))).toThrow(SyntaxError);
  expect(() => parseText(`${'{"a":'.repeat(100_000)}0${"}".repeat(100_000)}`)).toThrow(
    /nested deeper than 64/,
  );
});

test("brackets in strings, and beside each other, nest nothing", () => {
  const text = JSON.stringify({ a: `"${"[{".repeat(100)}\\`, b: Array(100).fill([]) });
  expect(isDeeper(text)).toBe(false);
  expect(parseText(text)).toEqual(JSON.parse(text));
});
