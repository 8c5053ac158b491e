import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Matcher, patternOf } from "../pattern/pattern.ts";
import { gpt2Splitter, WORDS } from "./byteLevel.ts";
import { gpt2Scan, gpt4Scan, type Scan, scanOf } from "./scan.ts";
import { wordsBy } from "./window.ts";

const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const gpt4 = (numbers: string): string =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${numbers}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*` +
  "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Characters that touch every branch, and what borders on them. */
const borders = fc.string({
  unit: fc.constantFrom(
    ..."abSstTrReEvVlLmMdD'' 1\u0661\u2167\u00b2\n\r\t!-_<|>",
    ..."\u00e9\u0301\u00a0\u0085\u2028\u3000\ufeff\u200d\u4e2d\u017f\u2019\u0000\u00ad\ud800\udc00",
    "\u{1f600}",
    "\u{1d400}",
    "\u{1d7ce}",
    "\r\n",
    "'ll",
    "   ",
  ),
  maxLength: 40,
});
const anything = fc.oneof(
  { weight: 3, arbitrary: borders },
  fc.string({ unit: "binary", maxLength: 80 }),
  fc.string({ unit: "grapheme", maxLength: 80 }),
);
const wordsOf = (split: (text: string, emit: (word: string) => void) => void, text: string): string[] => {
  const words: string[] = [];
  split(text, (word) => words.push(word));
  return words;
};

/** The matches of a pattern as texts. */
const matchesOf = (pattern: Matcher) => (text: string) => {
  const found: string[] = [];
  pattern(text, (start, end) => found.push(text.slice(start, end)));
  return found;
};

describe.each([
  ["GPT-2", gpt2],
  ["GPT-4 and Llama 3", gpt4("\\p{N}{1,3}")],
  ["Qwen 2", gpt4("\\p{N}")],
])("%s", (_, source) => {
  const matches = matchesOf(patternOf(source));
  const scan = scanOf(source)!;

  test("cuts as the pattern does", () => {
    const split = wordsBy(scan);
    fc.assert(
      fc.property(anything, (text) => {
        expect(wordsOf(split, text)).toEqual(matches(text));
      }),
      { numRuns: 6000 },
    );
  });

  test("cuts the same in windows of any length", () => {
    const whole = wordsBy(scan);
    const pieces = [1, 2, 3, 7, 16].map((units) => wordsBy(scan, units));
    fc.assert(
      fc.property(anything, (text) => {
        const words = wordsOf(whole, text);
        for (const split of pieces) expect(wordsOf(split, text)).toEqual(words);
      }),
      { numRuns: 1500 },
    );
  });

  test("cuts by characters of every block as the pattern does", () => {
    const all = Array.from({ length: 0x110000 }, (_, code) => code).filter(
      (code) => code < 0x3400 || code % 13 === 0,
    );
    const text = all.map((code) => `a1${String.fromCodePoint(code)}`).join("");
    expect(wordsOf(wordsBy(scan), text).join("\u0000")).toBe(matches(text).join("\u0000"));
  });
});

test("white space is Unicode's, and characters are those of Unicode 16", () => {
  const split = gpt2Splitter();
  expect(wordsOf(split, "a\u0085b")).toEqual(["a", "\u0085", "b"]);
  expect(wordsOf(split, "!\ufeff!")).toEqual(["!\ufeff!"]);
  expect(wordsOf(split, "a\u{10940}")).toEqual(["a", "\u{10940}"]);
  expect(wordsOf(split, "it's \u0085 x")).toEqual(matchesOf(WORDS)("it's \u0085 x"));
});

test("a scan looks at nothing beyond the end", () => {
  const bytes = new TextEncoder().encode("it's  \n x12345 !?\n\u3000\u3000y\u4e2d");
  for (const scan of [gpt2Scan(), gpt4Scan(3), gpt4Scan(1)] as Scan[]) {
    for (let end = 1; end < bytes.length; end++) {
      if ((bytes[end]! & 0xc0) === 0x80) continue;
      const alone = bytes.slice(0, end);
      for (let a = 0; a < end; ) {
        const to = scan(bytes, a, end);
        expect(to).toBe(scan(alone, a, end));
        expect(to).toBeGreaterThan(a);
        expect(to).toBeLessThanOrEqual(end);
        a = to;
      }
    }
  }
});

test("only these patterns have scans", () => {
  expect(scanOf("\\s+")).toBeUndefined();
  expect(scanOf(`${gpt2}|x`)).toBeUndefined();
});
