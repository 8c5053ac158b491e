import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { repetition, wordIds } from "../filter/repetition.ts";
import { textStats } from "../filter/textStats.ts";
import { splitWords } from "./words.ts";

const wordsOf = (text: string): string[] => {
  const { count, starts, ends } = splitWords(text);
  return Array.from({ length: count }, (_, i) => text.slice(starts[i], ends[i]));
};

const cases: readonly (readonly [text: string, words: string])[] = [
  ["Hello, it's a test... don't go.", "Hello , it 's a test ... do n't go ."],
  ["e.g. Mr. X went to the U.S. (in 1999).", "e.g. Mr. X went to the U.S. ( in 1999 ) ."],
  ["$5.00 10km 3.5% 1,000 10-20 x=1", "$ 5.00 10 km 3.5 % 1,000 10 - 20 x=1"],
  ["well-known foo/bar a,b it.Then", "well - known foo / bar a , b it . Then"],
  ["see https://example.org/a-b?c=d, ok", "see https://example.org/a-b?c=d , ok"],
  ["“Quoted” 'text' …and cannot", "“ Quoted ” ' text ' … and can not"],
  ["-item --option snake_case a@b.org", "-item --option snake_case a@b.org"],
  ["naïve café 😀😀 他说了", "naïve café 😀 😀 他说了"],
];

describe("words", () => {
  for (const [text, wanted] of cases) test(text, () => expect(wordsOf(text).join(" ")).toBe(wanted));

  test("every character that is not white space is in one word, in order", () => {
    const text = fc.string({ unit: fc.constantFrom(...Array.from("ab Z1.,-'’:/=…$ \n😀é")), maxLength: 60 });
    fc.assert(
      fc.property(text, (given) => {
        const { count, starts, ends } = splitWords(given);
        for (let i = 0; i < count; i++) {
          expect(ends[i]!).toBeGreaterThan(starts[i]!);
          if (i > 0) expect(starts[i]!).toBeGreaterThanOrEqual(ends[i - 1]!);
        }
        const bare = (s: string): string => s.replace(/\s/g, "");
        expect(bare(wordsOf(given).join(""))).toBe(bare(given));
      }),
    );
  });
});

/** The counts of datatrove's find_top_duplicate and find_all_duplicate, by strings. */
const plainly = (words: readonly string[], n: number) => {
  const grams = words.slice(0, Math.max(0, words.length - n + 1)).map((_, i) => words.slice(i, i + n));
  const counts = new Map<string, number>();
  for (const gram of grams) counts.set(gram.join(" "), (counts.get(gram.join(" ")) ?? 0) + 1);
  const most = Math.max(0, ...counts.values());
  const top = Array.from(counts).find(([, count]) => count === most);
  const seen = new Set<string>();
  let duplicate = 0;
  for (let i = 0; i < grams.length; ) {
    const gram = grams[i]!.join(" ");
    if (seen.has(gram)) {
      duplicate += grams[i]!.join("").length;
      i += n;
    } else {
      seen.add(gram);
      i++;
    }
  }
  return { top: top === undefined ? 0 : top[0].length * top[1], duplicate };
};

test("repetition counts what plain counting of strings counts", () => {
  const words = fc.array(fc.constantFrom("a", "bb", "ccc", "a", "a"), { maxLength: 60 });
  fc.assert(
    fc.property(words, (given) => {
      const text = given.join(" ");
      const { top, duplicate } = repetition(wordIds(text, splitWords(text)));
      for (let n = 2; n <= 4; n++) expect(top[n], `top ${n}`).toBe(plainly(given, n).top);
      for (let n = 5; n <= 10; n++) expect(duplicate[n], `duplicate ${n}`).toBe(plainly(given, n).duplicate);
    }),
    { numRuns: 500 },
  );
});

test("characters are code points, and lines end as in Python", () => {
  const stats = textStats("😀😀\r\n- a\u2028b...\n");
  expect(stats.chars).toBe(13);
  expect(stats.lines()).toEqual({ lines: 3, bullets: 1, ellipses: 1 });
  expect(stats.words()).toMatchObject({ alphabetic: 2, proper: 4, properChars: 4 });
});
