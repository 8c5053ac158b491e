/**
 * Gopher's rules of quality and repetition (Rae et al. 2021, https://arxiv.org/abs/2112.11446, appendix A1),
 * with the numbers of datatrove's GopherQualityFilter and GopherRepetitionFilter, in their order.
 */
import { type Rule, share } from "./rule.ts";
import type { TextStats } from "./textStats.ts";

const source = "https://arxiv.org/abs/2112.11446";

type Row = readonly [
  what: string,
  bound: "min" | "max",
  threshold: number,
  measures: string,
  (s: TextStats) => number,
];

const quality: readonly Row[] = [
  ["minWords", "min", 50, "Words that are more than punctuation.", (s) => s.words().proper],
  ["maxWords", "max", 100_000, "Words that are more than punctuation.", (s) => s.words().proper],
  [
    "minMeanWordLength",
    "min",
    3,
    "Mean characters of the words that are more than punctuation.",
    (s) => share(s.words().properChars, s.words().proper),
  ],
  [
    "maxMeanWordLength",
    "max",
    10,
    "Mean characters of the words that are more than punctuation.",
    (s) => share(s.words().properChars, s.words().proper),
  ],
  ["maxHashes", "max", 0.1, "Hash signs for each word.", (s) => share(s.occurrences("#"), s.wordCount())],
  [
    "maxEllipses",
    "max",
    0.1,
    "Ellipses for each word.",
    (s) => share(s.occurrences("...") + s.occurrences("…"), s.wordCount()),
  ],
  [
    "maxBulletLines",
    "max",
    0.9,
    "Share of lines that begin with a bullet or a hyphen.",
    (s) => share(s.lines().bullets, s.lines().lines),
  ],
  [
    "maxEllipsisLines",
    "max",
    0.3,
    "Share of lines that end with an ellipsis.",
    (s) => share(s.lines().ellipses, s.lines().lines),
  ],
  [
    "minAlphabeticWords",
    "min",
    0.8,
    "Share of words that have a letter.",
    (s) => share(s.words().alphabetic, s.wordCount()),
  ],
  [
    "minStopWords",
    "min",
    2,
    "Different ones of the words the, be, to, of, and, that, have, with.",
    (s) => s.words().stopWords,
  ],
];

const parts: readonly Row[] = [
  [
    "maxDuplicateParagraphs",
    "max",
    0.3,
    "Share of paragraphs that stood before in the document.",
    (s) => share(s.repeatedParagraphs().repeated, s.repeatedParagraphs().count),
  ],
  [
    "maxDuplicateParagraphChars",
    "max",
    0.2,
    "Share of characters in paragraphs that stood before.",
    (s) => share(s.repeatedParagraphs().repeatedChars, s.chars),
  ],
  [
    "maxDuplicateLines",
    "max",
    0.3,
    "Share of lines that stood before in the document.",
    (s) => share(s.repeatedLines().repeated, s.repeatedLines().count),
  ],
  [
    "maxDuplicateLineChars",
    "max",
    0.2,
    "Share of characters in lines that stood before.",
    (s) => share(s.repeatedLines().repeatedChars, s.chars),
  ],
];

const top = [
  [2, 0.2],
  [3, 0.18],
  [4, 0.16],
].map(
  ([n, threshold]): Row => [
    `maxTop${n}Gram`,
    "max",
    threshold!,
    `Share of characters in the ${n} words in a row that stand most often.`,
    (s) => share(s.repetition().top[n!]!, s.chars),
  ],
);

const duplicate = [
  [5, 0.15],
  [6, 0.14],
  [7, 0.13],
  [8, 0.12],
  [9, 0.11],
  [10, 0.1],
].map(
  ([n, threshold]): Row => [
    `maxDuplicate${n}Grams`,
    "max",
    threshold!,
    `Share of characters in ${n} words in a row that stood before.`,
    (s) => share(s.repetition().duplicate[n!]!, s.chars),
  ],
);

const rules = (rows: readonly Row[]): Rule[] =>
  rows.map(([what, bound, threshold, measures, measure]) => ({
    name: `gopher.${what}`,
    measures,
    measure,
    bound,
    threshold,
    source,
  }));

/** Length, words, symbols and lines of a text. */
export const gopherQuality: readonly Rule[] = rules(quality);

/** Lines, paragraphs and n-grams that a text repeats. */
export const gopherRepetition: readonly Rule[] = rules([...parts, ...top, ...duplicate]);
