/** The rules against datatrove's filters: the same documents go, for the same reason; the same lines stay. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { splitWords } from "../text/words.ts";
import { judge } from "./filter.ts";

interface Outcome {
  readonly reason?: string | null;
  readonly text?: string;
  /** The exception that datatrove's filter throws: division by no words. */
  readonly fails?: string;
}

interface Row {
  readonly name: string;
  readonly text: string;
  readonly words: number;
  readonly repetition: Outcome;
  readonly quality: Outcome;
  readonly c4: Outcome;
  readonly fineweb: Outcome;
}

const path = new URL("../../../test/golden/filters.json", import.meta.url);
const rows: readonly Row[] = JSON.parse(readFileSync(path, "utf8"));

const reasons: Record<string, string> = {
  dup_para_frac: "gopher.maxDuplicateParagraphs",
  dup_para_char_frac: "gopher.maxDuplicateParagraphChars",
  dup_line_frac: "gopher.maxDuplicateLines",
  dup_line_char_frac: "gopher.maxDuplicateLineChars",
  gopher_short_doc: "gopher.minWords",
  gopher_long_doc: "gopher.maxWords",
  gopher_below_avg_threshold: "gopher.minMeanWordLength",
  gopher_above_avg_threshold: "gopher.maxMeanWordLength",
  gopher_too_many_hashes: "gopher.maxHashes",
  gopher_too_many_ellipsis: "gopher.maxEllipses",
  gopher_too_many_bullets: "gopher.maxBulletLines",
  gopher_too_many_end_ellipsis: "gopher.maxEllipsisLines",
  gopher_below_alpha_threshold: "gopher.minAlphabeticWords",
  gopher_enough_stop_words: "gopher.minStopWords",
  lorem_ipsum: "c4.maxLoremIpsum",
  curly_bracket: "c4.maxCurlyBrackets",
  too_few_sentences: "c4.minSentences",
  empty: "fineweb.minLines",
  line_punct_ratio: "fineweb.minPunctuatedLines",
  short_line_ratio: "fineweb.maxShortLines",
  char_dup_ratio: "fineweb.maxDuplicateLineChars",
  list_ratio: "fineweb.maxLineFeeds",
};
for (const n of [2, 3, 4]) reasons[`top_${n}_gram`] = `gopher.maxTop${n}Gram`;
for (const n of [5, 6, 7, 8, 9, 10]) reasons[`duplicated_${n}_n_grams`] = `gopher.maxDuplicate${n}Grams`;

const QUALITY = /Words|WordLength|Hashes|Ellip|Bullet/;

const first = (text: string, preset: "gopher" | "c4" | "fineweb", of: RegExp): string | null =>
  judge(text, { preset }).reasons.find(({ rule }) => of.test(rule))?.rule ?? null;

const expected = ({ reason }: Outcome): string | null =>
  reason == null ? null : (reasons[reason] ?? reason);

describe("datatrove", () => {
  test("every reason is met", () => {
    const met = new Set(rows.flatMap((r) => [r.repetition, r.quality, r.c4, r.fineweb].map((o) => o.reason)));
    expect(met.size).toBeGreaterThan(18);
  });
  for (const row of rows) {
    test(row.name, () => {
      const { text } = row;
      if (text !== "" && row.repetition.fails === undefined) {
        expect(first(text, "gopher", /Duplicate|Top/)).toBe(expected(row.repetition));
      }
      if (row.quality.fails === undefined) expect(first(text, "gopher", QUALITY)).toBe(expected(row.quality));
      const c4 = judge(text, { preset: "c4" });
      expect(c4.reasons[0]?.rule ?? null).toBe(expected(row.c4));
      if (c4.keep) expect(c4.text).toBe(row.c4.text ?? text);
      if (row.fineweb.fails === undefined) expect(first(text, "fineweb", /./)).toBe(expected(row.fineweb));
    });
  }
  test("words are spaCy's, but for one in a hundred", () => {
    for (const { text, words, name } of rows) {
      expect(Math.abs(splitWords(text).count - words), name).toBeLessThanOrEqual(2 + words / 100);
    }
  });
});
