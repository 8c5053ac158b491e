import { describe, expect, test } from "vitest";
import { type FilterOptions, judge } from "./filter.ts";
import { resolveRules, rules } from "./rules.ts";
import { lines, times, words } from "./texts.fixture.ts";

/** A text whose words are all different. */
const plain = (n: number): string => `${words(n)}.`;

/** By rule: threshold, a text just inside, and one just outside. */
const edges: Record<string, readonly [threshold: number, inside: string, outside: string]> = {
  "gopher.minWords": [5, "a b c d e", "a b c d !"],
  "gopher.maxWords": [5, "a b c d e !", "a b c d e f"],
  "gopher.minMeanWordLength": [3, "abc abc", "abc ab"],
  "gopher.maxMeanWordLength": [3, "abc abc", "abc abcd"],
  "gopher.maxHashes": [0.5, "# a", "# # a"],
  "gopher.maxEllipses": [0.5, "a …", "…… a"],
  "gopher.maxBulletLines": [0.5, lines("- a", "b"), lines("- a", "  • b", "c")],
  "gopher.maxEllipsisLines": [0.5, lines("a... ", "b"), lines("a...", "b…", "c")],
  "gopher.minAlphabeticWords": [0.5, "a 1", "a 1 2"],
  "gopher.minStopWords": [2, "the sun and the moon", "the sun the moon"],
  "gopher.maxDuplicateParagraphs": [0.5, "a\n\na", "a\n\na\n\n\na"],
  "gopher.maxDuplicateParagraphChars": [0.35, "ab\n\nab", "ab\n\nab\n\nab"],
  "gopher.maxDuplicateLines": [0.5, "a\na", "a\na\n\na"],
  "gopher.maxDuplicateLineChars": [0.4, "ab\nab", "ab\nab\nab"],
  "gopher.maxTop2Gram": [0.5, "a b c d e f", "a b a b a b"],
  "gopher.maxTop3Gram": [0.6, "a b c d e f g h", "a b c a b c d"],
  "gopher.maxTop4Gram": [0.7, "a b c d e f g h", "a b c d a b c d"],
  "gopher.maxDuplicate5Grams": [0.25, "a b c d e f a b c d g", "a b c d e a b c d e"],
  "gopher.maxDuplicate6Grams": [0.25, "a b c d e f a b c d e g", "a b c d e f a b c d e f"],
  "gopher.maxDuplicate7Grams": [0.25, `${words(7)} x ${words(6)}`, `${words(7)} ${words(7)}`],
  "gopher.maxDuplicate8Grams": [0.25, `${words(8)} x ${words(7)}`, `${words(8)} ${words(8)}`],
  "gopher.maxDuplicate9Grams": [0.25, `${words(9)} x ${words(8)}`, `${words(9)} ${words(9)}`],
  "gopher.maxDuplicate10Grams": [0.25, `${words(10)} x ${words(9)}`, `${words(10)} ${words(10)}`],
  "c4.minSentences": [2, "One is here. Two is there.", "One is here and two is there."],
  "c4.maxLoremIpsum": [0, "Lorem and ipsum.", "The text lorem IPSUM dolor."],
  "c4.maxCurlyBrackets": [0, "f(a) }", "f(a) {"],
  "c4.maxBadWords": [0, "Scunthorpe darns", "Oh, Darn it"],
  "fineweb.minLines": [2, "a\nb", "a\n \n"],
  "fineweb.minPunctuatedLines": [0.5, "a.\nb", "a.\nb\nc"],
  "fineweb.maxShortLines": [0.5, `${"x".repeat(31)}\nb`, `${"x".repeat(31)}\n${"y".repeat(30)}\nc`],
  "fineweb.maxDuplicateLineChars": [0.5, "ab\nab", "ab\nab\nab"],
  "fineweb.maxLineFeeds": [0.5, "a b\n", "a\nb\n"],
};

/** By rule that drops lines: threshold, a line that stays and one that goes. */
const lineEdges: Record<string, readonly [threshold: number, stays: string, goes: string]> = {
  "c4.maxWordLength": [4, "abcd ab", "abcde ab"],
  "c4.minTerminalPunctuation": [1, 'He said "yes"', "He said yes..."],
  "c4.minLineWords": [3, "one two three", "one two"],
  "c4.maxJavascript": [0, "java script", "Enable JavaScript"],
  "c4.maxPolicyPhrases": [0, "our policy", "Our Cookie Policy"],
};

describe("rules", () => {
  test("each rule has its edge in this table", () => {
    const tested = [...Object.keys(edges), ...Object.keys(lineEdges), "c4.maxCitations"];
    expect(tested.sort()).toEqual(rules.map((rule) => rule.name).sort());
  });
  for (const [name, [threshold, inside, outside]] of Object.entries(edges)) {
    test(`${name}: just inside and just outside`, () => {
      const options: FilterOptions = { preset: "none", rules: { [name]: threshold }, badWords: ["darn"] };
      const only = name === "c4.maxBadWords" ? options : { ...options, badWords: [] };
      expect(judge(inside, only)).toMatchObject({ keep: true, text: inside, reasons: [] });
      const { keep, reasons } = judge(outside, only);
      expect(keep).toBe(false);
      expect(reasons.map(({ rule }) => rule)).toEqual([name]);
      expect(reasons[0]!.threshold).toBe(threshold);
    });
  }
  for (const [name, [threshold, stays, goes]] of Object.entries(lineEdges)) {
    test(`${name}: the line stays or goes`, () => {
      const { text, cuts } = judge(lines(stays, goes, stays), {
        preset: "none",
        rules: { [name]: threshold },
      });
      expect(text).toBe(lines(stays, stays));
      expect(cuts).toEqual([{ rule: name, text: goes }]);
    });
  }
  test("citations go, the rest of the line stays", () => {
    const { text } = judge("As is known[12] and[edit] said [a].", {
      preset: "none",
      rules: { "c4.maxCitations": 0 },
    });
    expect(text).toBe("As is known and said [a].");
  });
  test("all rules that a text breaks are told", () => {
    const { reasons } = judge("- # 1", { preset: "gopher" });
    expect(reasons.map(({ rule }) => rule)).toEqual(
      expect.arrayContaining([
        "gopher.minWords",
        "gopher.maxHashes",
        "gopher.maxBulletLines",
        "gopher.minStopWords",
      ]),
    );
  });
  test("a text that loses all of its lines is empty", () => {
    const { reasons } = judge("no end", { preset: "none", rules: { "c4.minTerminalPunctuation": 1 } });
    expect(reasons).toEqual([{ rule: "empty", value: 0, threshold: 1 }]);
  });
  test("the default keeps short, foreign and technical texts, and drops repetition and numbers", () => {
    const kept = [
      "ok",
      "A man in a hat.",
      "# Title\n\n- a\n- b",
      "{}",
      "我們在城市裡看見一隻貓。",
      "let x = 1;\nx++;",
      plain(300),
    ];
    // Brackets alone have no letter.
    expect(kept.map((text) => judge(text).keep)).toEqual([true, true, true, false, true, true, true]);
    expect(judge(times(40, () => "Buy it here.").join("\n")).keep).toBe(false);
    expect(judge(times(200, (i) => `${i * 37}.${i}`).join(" ")).keep).toBe(false);
  });
  test("presets are put together, and a rule is turned off or changed", () => {
    const resolved = resolveRules({
      preset: ["gopher", "c4"],
      rules: { "gopher.minWords": 30, "c4.minSentences": null },
    });
    expect(resolved.get("gopher.minWords")).toBe(30);
    expect(resolved.has("c4.minSentences")).toBe(false);
    expect(resolved.get("gopher.maxWords")).toBe(100_000);
    expect(resolved.has("fineweb.minLines")).toBe(false);
  });
  test("a mistyped name is answered with the nearest", () => {
    const hint = (options: unknown): string => {
      try {
        judge("a", options as FilterOptions);
      } catch (error) {
        return (error as { details: { hint: string } }).details.hint;
      }
      return "";
    };
    expect(hint({ rules: { "gopher.minWord": 3 } })).toContain('"gopher.minWords"');
    expect(hint({ rules: { minsentences: 3 } })).toContain('"c4.minSentences"');
    expect(hint({ preset: "gofer" })).toContain('"gopher"');
    expect(hint({ presets: "c4" })).toContain('"preset"');
    expect(hint({ language: { keep: ["english"] } })).toContain("en");
    expect(hint({ personal: { kinds: ["emial"] } })).toContain("email");
    expect(hint({ contamination: { words: 0 } })).toContain("1 to");
    expect(() => judge("a", { rules: { "gopher.minWords": Number.NaN } })).toThrow(/number/);
    expect(() => judge("a", { language: { keep: ["en"] } })).toThrow(/detector/);
    expect(() => judge("a", { contamination: {} })).toThrow(/index/);
  });
});
