import { describe, expect, test } from "vitest";
import { ConfigError } from "../../util/errors.ts";
import { rng } from "../../util/rng.ts";
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
    .replace(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/gu, " $& ")
    .replace(/(^|[^\p{L}\p{N}\p{So}])[-−](?=\p{Nd})/gu, "$1m")
    .replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) - 0x660))
    .replace(/[\p{P}\p{Z}\p{Cc}\p{Sm}\p{Sc}\p{Sk}]/gu, " ")
    .split(/\s+/)
    .filter((word) => word !== "");

const slowShingles = (text: string, ngram: number): string[] => {
  const words = slowWords(text);
  const count = Math.max(0, words.length - ngram + 1);
  return Array.from({ length: count }, (_, i) => words.slice(i, i + ngram).join(" "));
};

const slowJaccard = (a: string, b: string, ngram: number): number => {
  const [x, y] = [new Set(slowShingles(a, ngram)), new Set(slowShingles(b, ngram))];
  const both = [...x].filter((shingle) => y.has(shingle)).length;
  const either = x.size + y.size - both;
  return either === 0 ? 1 : both / either;
};

const CHARS = [..."aab bc d  e.F,G-1 23.5 é ä\n\tß 中文かなไทย😀'\u0301\u200b٣ا", "ffi", "İ"];
const randomText = (seed: number, length: number): string => {
  const random = rng(seed, "shingles.test");
  return Array.from({ length }, () => CHARS[random.int(CHARS.length)]!).join("");
};

describe("words", () => {
  test("case, punctuation, white space and diacritics do not matter", () => {
    const expected = all(2, "the cafe of 3 14 naive men don't close");
    expect(all(2, "  The CAFÉ -- of 3.14\n\tnaïve (men) don’t CLOSE!")).toEqual(expected);
    expect(all(2, "the cafe of 3.14 naive men do close")).not.toEqual(expected);
  });

  test("numbers are told apart by their digits, in any script, and by their sign", () => {
    const different = ["7", "8", "77", "-7", "7.5", "75", "1/2", "12", "a7", "a8"];
    const words = different.map((text) => all(1, text).join());
    expect(new Set(words).size).toBe(different.length);
    expect(all(1, "x = -7")).toEqual(all(1, "x = −7"));
    expect(all(1, "٣ and ３ and ३")).toEqual(all(1, "3 and 3 and 3"));
    expect(all(1, "2021-03-04")).toEqual(all(1, "2021 03 04"));
    expect(all(1, "1.2.3")).toHaveLength(3);
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

test("fewer words than a shingle has are none", () => {
  for (const text of ["", "?", "one", "one two three four", "一二三四"]) expect(all(5, text)).toEqual([]);
  for (const text of ["one two three four five", "一二三四五"]) expect(all(5, text)).toHaveLength(1);
});

test("the number of shingles and the Jaccard similarity are those of a slow reference", () => {
  for (let seed = 0; seed < 300; seed++) {
    const ngram = 1 + (seed % 4);
    const [a, b] = [randomText(seed, 40), randomText(seed + 1000, 40)];
    expect(all(ngram, a)).toHaveLength(slowShingles(a, ngram).length);
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
