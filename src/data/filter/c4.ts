/**
 * C4's rules (Raffel et al. 2020, https://jmlr.org/papers/volume21/20-074/20-074.pdf, section 2.2), with
 * the numbers of datatrove's C4QualityFilter, in its order. They drop lines as well as documents: what is
 * left of a text is the result. The list of bad words is the user's.
 */
import { characterClass, quickClass, SPACE, TERMINAL } from "../text/characters.ts";
import { splitWords } from "../text/words.ts";
import { holds } from "./rule.ts";
import { eachLine, trimmedSpan } from "./textStats.ts";

const source = "https://jmlr.org/papers/volume21/20-074/20-074.pdf";
const code = "https://github.com/tensorflow/datasets/blob/master/tensorflow_datasets/text/c4_utils.py";

/** One line of a text, trimmed. */
interface Line {
  readonly text: string;
  /** What stands between white space, and the most characters of one. */
  readonly words: number;
  readonly longest: number;
}

/** One of C4's rules, and what goes where a text breaks it. */
export interface C4Rule {
  readonly name: string;
  readonly measures: string;
  readonly bound: "min" | "max";
  readonly threshold: number;
  readonly source: string;
  /** What goes where the bound is not kept. */
  readonly drops: "line" | "document" | "citation";
  /** Absent: measured of the whole text that is kept. */
  measure?(line: Line): number;
  /** In lower case: a text without any of these measures 0 in every line. */
  readonly phrases?: readonly string[];
}

const occurrences = (text: string, what: string): number => text.split(what).length - 1;

const CITATION = /\[\d*\]|\[edit\]|\[citation needed\]/g;
const POLICY = [
  "terms of use",
  "privacy policy",
  "cookie policy",
  "uses cookies",
  "use of cookies",
  "use cookies",
];

const endsSentence = (text: string): boolean => /[.?!"']$/.test(text.slice(-1)) && !text.endsWith("...");

/** In the order in which a line meets them. */
export const c4: readonly C4Rule[] = [
  {
    name: "c4.maxWordLength",
    measures: "Characters of the longest word of a line.",
    measure: ({ longest }) => longest,
    bound: "max",
    threshold: 1000,
    source: code,
    drops: "line",
  },
  {
    name: "c4.maxCitations",
    measures: "Marks of citation in a line: [1], [edit], [citation needed].",
    measure: ({ text }) => text.match(CITATION)?.length ?? 0,
    phrases: ["["],
    bound: "max",
    threshold: 0,
    source: code,
    drops: "citation",
  },
  {
    name: "c4.minTerminalPunctuation",
    measures: "1 of a line that ends with a full stop, a question or exclamation mark or a quote, else 0.",
    measure: ({ text }) => (endsSentence(text) ? 1 : 0),
    bound: "min",
    threshold: 1,
    source,
    drops: "line",
  },
  {
    name: "c4.minLineWords",
    measures: "Words of a line.",
    measure: ({ words }) => words,
    bound: "min",
    threshold: 3,
    source,
    drops: "line",
  },
  {
    name: "c4.maxLoremIpsum",
    measures: 'Times that a line says "lorem ipsum".',
    measure: ({ text }) => occurrences(text.toLowerCase(), "lorem ipsum"),
    phrases: ["lorem ipsum"],
    bound: "max",
    threshold: 0,
    source,
    drops: "document",
  },
  {
    name: "c4.maxJavascript",
    measures: 'Times that a line says "javascript".',
    measure: ({ text }) => occurrences(text.toLowerCase(), "javascript"),
    phrases: ["javascript"],
    bound: "max",
    threshold: 0,
    source,
    drops: "line",
  },
  {
    name: "c4.maxCurlyBrackets",
    measures: "Opening curly brackets of a line.",
    measure: ({ text }) => occurrences(text, "{"),
    phrases: ["{"],
    bound: "max",
    threshold: 0,
    source,
    drops: "document",
  },
  {
    name: "c4.maxPolicyPhrases",
    measures: "Phrases of terms of use and cookie notices in a line.",
    measure: ({ text }) => POLICY.filter((phrase) => text.toLowerCase().includes(phrase)).length,
    phrases: POLICY,
    bound: "max",
    threshold: 0,
    source: code,
    drops: "line",
  },
  {
    name: "c4.minSentences",
    measures: "Sentences of the lines that are kept.",
    bound: "min",
    threshold: 5,
    source,
    drops: "document",
  },
  {
    name: "c4.maxBadWords",
    measures: "Words of the user's list in the text.",
    bound: "max",
    threshold: 0,
    source,
    drops: "document",
  },
];

const PUNCTUATION = /^\p{P}+$/u;

/** Sentences as spaCy's sentencizer counts them: one begins at the first word after the end of another. */
export const sentenceCount = (text: string): number => {
  const { count, starts, ends } = splitWords(text);
  let sentences = 1;
  let ended = false;
  for (let w = 0; w < count; w++) {
    const start = starts[w]!;
    const end = ends[w]!;
    const pair = end - start === 2 && (text.charCodeAt(start) & 0xfc00) === 0xd800;
    const mark = (end - start === 1 || pair) && (characterClass(text, start) & TERMINAL) !== 0;
    if (mark) ended = true;
    else if (ended && !PUNCTUATION.test(text.slice(start, end))) {
      sentences++;
      ended = false;
    }
  }
  return sentences;
};

// Scripts that put no space between words: a word of these is found inside of a run.
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;

/** Pattern of any of `words`; undefined of none. */
export const badWordPattern = (words: readonly string[]): RegExp | undefined => {
  const shapes = words
    .map((word) => word.trim().toLowerCase())
    .filter((word) => word !== "")
    .map((word) => {
      const escaped = word.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
      return UNSPACED.test(word) ? escaped : `(?<![\\p{L}\\p{N}_])${escaped}(?![\\p{L}\\p{N}_])`;
    });
  return shapes.length === 0 ? undefined : new RegExp(shapes.join("|"), "gu");
};

/** A part of a text that went, though the text stays. */
export interface C4Cut {
  readonly rule: string;
  readonly text: string;
}

/** What C4's rules leave of a text. */
export interface C4Result {
  readonly text: string;
  /** Lines and citations that went. */
  readonly cuts: readonly C4Cut[];
  /** What of the document broke a rule, in the order met. */
  readonly broken: readonly { readonly rule: string; readonly value: number }[];
}

const lineOf = (text: string): Line => {
  let [words, longest, start] = [0, 0, 0];
  for (let i = 0; i <= text.length; i++) {
    if (i < text.length && (quickClass(text, i) & SPACE) === 0) continue;
    if (i > start) {
      words++;
      if (i - start > longest) longest = i - start;
    }
    start = i + 1;
  }
  return { text, words, longest };
};

/**
 * Runs the rules that have a threshold over the lines of `text`. What is kept is joined by line feeds;
 * where no rule drops lines, the text stays as it is.
 */
export const c4Text = (
  text: string,
  thresholds: ReadonlyMap<string, number>,
  badWords?: RegExp | undefined,
): C4Result => {
  const lower = text.toLowerCase();
  const chosen = c4.filter((rule) => rule.measure !== undefined && thresholds.has(rule.name));
  const rows = chosen.filter(
    ({ phrases }) => phrases === undefined || phrases.some((p) => lower.includes(p)),
  );
  const minSentences = thresholds.get("c4.minSentences") ?? 0;
  const cuts: C4Cut[] = [];
  const kept: string[] = [];
  const broken = new Map<string, number>();
  let sentences = 0;
  const keeps = (rule: C4Rule, line: Line): boolean => {
    const value = rule.measure!(line);
    if (holds(rule.bound, value, thresholds.get(rule.name)!)) return true;
    if (rule.drops !== "document") cuts.push({ rule: rule.name, text: line.text });
    else broken.set(rule.name, (broken.get(rule.name) ?? 0) + value);
    return rule.drops !== "line";
  };
  eachLine(text, (from, to) => {
    const [start, end] = trimmedSpan(text, from, to);
    let line = lineOf(text.slice(start, end));
    for (const rule of rows) {
      if (!keeps(rule, line)) return;
      if (rule.drops === "citation") line = { ...line, text: line.text.replace(CITATION, "") };
    }
    // Enough is enough: the rest is not counted.
    if (sentences < minSentences) sentences += sentenceCount(line.text);
    kept.push(line.text);
  });
  if (sentences < minSentences) broken.set("c4.minSentences", sentences);
  const bad = badWords === undefined ? 0 : (lower.match(badWords)?.length ?? 0);
  if (bad > (thresholds.get("c4.maxBadWords") ?? Number.POSITIVE_INFINITY)) broken.set("c4.maxBadWords", bad);
  const result = chosen.some((rule) => rule.drops !== "document") ? kept.join("\n").trim() : text;
  return { text: result, cuts, broken: Array.from(broken, ([rule, value]) => ({ rule, value })) };
};
