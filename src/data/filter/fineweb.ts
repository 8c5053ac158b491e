/**
 * FineWeb's own rules (Penedo et al. 2024, https://arxiv.org/abs/2406.17557, section 3.6), with the numbers of
 * datatrove's FineWebQualityFilter, in its order.
 */
import { type Rule, share } from "./rule.ts";

const source = "https://arxiv.org/abs/2406.17557";

/** Line ends, short lines, repeated lines and lists; blank lines do not count as lines. */
export const fineweb: readonly Rule[] = [
  {
    name: "fineweb.minLines",
    measures: "Lines that have more than white space.",
    measure: (s) => s.flow().lines,
    bound: "min",
    threshold: 1,
    source,
  },
  {
    name: "fineweb.minPunctuatedLines",
    measures: "Share of lines that end with the end of a sentence.",
    measure: (s) => share(s.flow().terminal, s.flow().lines),
    bound: "min",
    threshold: 0.12,
    source,
  },
  {
    name: "fineweb.maxShortLines",
    measures: "Share of lines of at most 30 characters.",
    measure: (s) => share(s.flow().short, s.flow().lines),
    bound: "max",
    threshold: 0.67,
    source,
  },
  {
    name: "fineweb.maxDuplicateLineChars",
    measures: "Share of characters, line feeds apart, in lines that stood before.",
    measure: (s) => share(s.flow().repeatedChars, s.chars - s.flow().feeds),
    bound: "max",
    threshold: 0.01,
    source,
  },
  {
    name: "fineweb.maxLineFeeds",
    measures: "Line feeds for each word.",
    measure: (s) => share(s.flow().feeds, s.wordCount()),
    bound: "max",
    threshold: 0.3,
    source,
  },
];
