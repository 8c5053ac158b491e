import { describe, expect, test } from "vitest";
import { ConfigError } from "../util/errors.ts";
import { rng } from "../util/rng.ts";
import { jaccard, shingler, shingleSets } from "./shingles.ts";

const all = (ngram: number, text: string): number[] => {
  const result: number[] = [];
  shingler(ngram)(text, (block, count) => result.push(...block.subarray(0, count)));
  return result;
};

/** Words by the plain definition, with strings. */
const slowWords = (text: string): string[] =>
  text
    .toLowerCase()
    .normalize("NFD")
    .replace(/[\p{Mn}\p{Cf}]/gu, "")
    .replace(/\p{Nd}+(?:[.,،٫]\p{Nd}+)?/gu, "0")
    .replace(/[\p{P}\p{Z}\p{Cc}\p{Sm}\p{Sc}\p{Sk}]/gu, " ")
    .replace(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/gu, " $& ")
    .split(/\s+/)
    .filter((word) => word !== "");

const slowShingles = (text: string, ngram: number): string[] => {
  const words = slowWords(text);
  const count = Math.max(1, words.length - ngram + 1);
  return Array.from({ length: count }, (_, i) => words.slice(i, i + ngram).join(" "));
};

const slowJaccard = (a: string, b: string, ngram: number): number => {
  const [x, y] = [new Set(slowShingles(a, ngram)), new Set(slowShingles(b, ngram))];
  const both = [...x].filter((shingle) => y.has(shingle)).length;
  return both / (x.size + y.size - both);
};

const CHARS = [..."aab bc d  e.F,G-1 23.5 é ä\n\tß 中文かなไทย😀'\u0301\u200b٣ا", "ffi", "İ"];
const randomText = (seed: number, length: number): string => {
  const random = rng(seed, "shingles.test");
  return Array.from({ length }, () => CHARS[random.int(CHARS.length)]!).join("");
};

describe("words", () => {
  test("case, punctuation, white space, diacritics and numbers do not matter", () => {
    const expected = all(2, "the cafe of 12 naive men don't close");
    expect(all(2, "  The CAFÉ -- of 3.14\n\tnaïve (men) don’t CLOSE!")).toEqual(expected);
    expect(all(2, "the cafe of 12 naive men do close")).not.toEqual(expected);
  });

  test("a number is one word whatever its digits, but 1.2.3 is two", () => {
    expect(all(1, "7")).toEqual(all(1, "1,234"));
    expect(all(1, "1.2.3")).toHaveLength(2);
    expect(all(1, "a1b")).not.toEqual(all(1, "ab"));
  });

  test("characters of scripts without spaces are words", () => {
    expect(all(1, "中文字")).toHaveLength(3);
    expect(all(1, "x中y")).toHaveLength(3);
    expect(all(2, "中文字典")).toHaveLength(3);
  });

  test("the order of words matters within a shingle", () => {
    expect(all(2, "a b")).not.toEqual(all(2, "b a"));
    expect(new Set(all(3, "a b c a b c"))).toHaveLength(3);
  });
});

describe("short texts", () => {
  test("fewer words than a shingle has are one shingle, told from others", () => {
    const texts = ["one", "two", "one two", "two one", "one two three", "", "?", "!!!", "... ?"];
    const shingles = texts.map((text) => all(5, text));
    for (const shingle of shingles) expect(shingle).toHaveLength(1);
    expect(new Set(shingles.flat()).size).toBe(texts.length);
  });

  test("texts without words are equal but for white space", () => {
    expect(all(5, "?! ?")).toEqual(all(5, " ?!\n?"));
  });
});

test("the number of shingles and the Jaccard similarity are those of a slow reference", () => {
  for (let seed = 0; seed < 300; seed++) {
    const ngram = 1 + (seed % 4);
    const [a, b] = [randomText(seed, 40), randomText(seed + 1000, 40)];
    if (slowWords(a).length > 0) expect(all(ngram, a)).toHaveLength(slowShingles(a, ngram).length);
    if (slowWords(a).length === 0 || slowWords(b).length === 0) continue;
    const [near, sets] = [`${a} ${b} ${a}`, shingleSets(ngram)];
    expect(jaccard(sets(a), sets(near))).toBeCloseTo(slowJaccard(a, near, ngram), 12);
    expect(jaccard(sets(a), sets(b))).toBeCloseTo(slowJaccard(a, b, ngram), 12);
  }
});

test("long texts in blocks give the same shingles as their parts do", () => {
  for (const unit of ["w", "中"]) {
    // More words than two blocks hold, at all places of a block's edge.
    for (const words of [2047, 2048, 2049, 2052, 2053, 2054, 5000]) {
      const list = Array.from({ length: words }, (_, i) => (unit === "w" ? `w${"x".repeat(i % 37)}` : unit));
      const text = unit === "w" ? list.join(" ") : list.join("");
      expect(all(5, text)).toHaveLength(words - 4);
      expect(all(5, text).slice(-20)).toEqual(all(5, list.slice(-24).join(unit === "w" ? " " : "")));
    }
  }
});

test("a reader keeps nothing of the text before", () => {
  const read = shingler(3);
  const of = (text: string): number[] => {
    const result: number[] = [];
    read(text, (block, count) => result.push(...block.subarray(0, count)));
    return result;
  };
  const first = of("one two three four");
  of("x ".repeat(9000));
  expect(of("one two three four")).toEqual(first);
});

test("Jaccard similarity is symmetric, 1 of a set with itself, 0 of disjoint ones", () => {
  const sets = shingleSets(2);
  const [a, b, c] = [sets("a b c d e"), sets("a b c x y"), sets("p q r s")];
  expect(jaccard(a, a)).toBe(1);
  expect(jaccard(a, b)).toBe(2 / 6);
  expect(jaccard(b, a)).toBe(2 / 6);
  expect(jaccard(a, c)).toBe(0);
});

test("a wrong number of words is refused", () => {
  for (const ngram of [0, -1, 1.5, Number.NaN, 257]) expect(() => shingler(ngram)).toThrow(ConfigError);
});
