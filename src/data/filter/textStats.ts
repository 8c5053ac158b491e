/** What the rules measure of a text: each part is counted once, when the first rule asks for it. */
import { characterCount, LINE, quickClass, SPACE, terminals } from "../text/characters.ts";
import { splitWords, type Words } from "../text/words.ts";
import { ALPHABETIC, PROPER, type Repetition, repetition, type WordIds, wordIds } from "./repetition.ts";

/** Counts of a text's tokens. */
export interface WordStats {
  /** Tokens that have more than punctuation. */
  readonly proper: number;
  /** Code points of the proper ones. */
  readonly properChars: number;
  /** Tokens with a letter. */
  readonly alphabetic: number;
  /** Different stop words of English. */
  readonly stopWords: number;
}

/** Texts and those of them that stood before, as counts and code points. */
export interface Repeats {
  readonly count: number;
  readonly repeated: number;
  readonly repeatedChars: number;
}

/** Counts of a text's lines, for Gopher's rules. */
export interface LineStats {
  readonly lines: number;
  readonly bullets: number;
  readonly ellipses: number;
}

/** Counts of a text's lines, for FineWeb's rules. */
export interface FlowStats {
  /** Lines with more than white space. */
  readonly lines: number;
  readonly terminal: number;
  readonly short: number;
  readonly repeatedChars: number;
  /** Line feeds. */
  readonly feeds: number;
}

/** What rules ask of one text. */
export interface TextStats {
  readonly text: string;
  /** Code points. */
  readonly chars: number;
  /** Tokens, punctuation among them. */
  wordCount(): number;
  words(): WordStats;
  repetition(): Repetition;
  lines(): LineStats;
  flow(): FlowStats;
  repeatedLines(): Repeats;
  repeatedParagraphs(): Repeats;
  /** How often `what` stands in the text. */
  occurrences(what: string): number;
}

const STOP = new Set(["the", "be", "to", "of", "and", "that", "have", "with"]);

/** Lines of at most this many code points are short. */
const SHORT_LINE = 30;

const wordStats = (
  text: string,
  { starts, ends }: Words,
  { count, ids, chars, kinds }: WordIds,
): WordStats => {
  let [proper, properChars, alphabetic, stopWords] = [0, 0, 0, 0];
  for (let w = 0; w < count; w++) {
    const kind = kinds[w]!;
    if ((kind & PROPER) !== 0) {
      proper++;
      properChars += chars[w]!;
    }
    if ((kind & ALPHABETIC) !== 0) alphabetic++;
    if (ids[w] === w && chars[w]! <= 4 && STOP.has(text.slice(starts[w]!, ends[w]!))) stopWords++;
  }
  return { proper, properChars, alphabetic, stopWords };
};

const repeatsOf = (parts: readonly string[], length: (part: string) => number): Repeats => {
  const seen = new Set<string>();
  let [repeated, repeatedChars] = [0, 0];
  for (const part of parts) {
    const before = seen.size;
    if (seen.add(part).size > before) continue;
    repeated++;
    repeatedChars += length(part);
  }
  return { count: parts.length, repeated, repeatedChars };
};

/** Start and end of the text without white space at either side, in Python's sense of it. */
export const trimmedSpan = (text: string, from: number, to: number): [start: number, end: number] => {
  let start = from;
  let end = to;
  while (start < end && (quickClass(text, start) & SPACE) !== 0) start++;
  while (end > start && (quickClass(text, end - 1) & SPACE) !== 0) end--;
  return [start, end];
};

const eachFeedLine = (text: string, visit: (start: number, end: number) => void): void => {
  let start = 0;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
    visit(start, end);
    start = end + 1;
  }
  if (start < text.length) visit(start, text.length);
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: they end lines in Python.
const OTHER_LINE_END = /[\r\v\f\u001c-\u001e\u0085\u2028\u2029]/;

/**
 * Calls `visit` with each line, ended by any of Unicode's line ends; a last line end begins no further
 * line.
 */
export const eachLine = (text: string, visit: (start: number, end: number) => void): void => {
  if (!OTHER_LINE_END.test(text)) {
    eachFeedLine(text, visit);
    return;
  }
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if ((quickClass(text, i) & LINE) === 0) continue;
    visit(start, i);
    if (text.charCodeAt(i) === 13 && text.charCodeAt(i + 1) === 10) i++;
    start = i + 1;
  }
  if (start < text.length) visit(start, text.length);
};

const lineStats = (text: string): LineStats => {
  let [lines, bullets, ellipses] = [0, 0, 0];
  eachLine(text, (from, to) => {
    const [start, end] = trimmedSpan(text, from, to);
    lines++;
    if (start === end) return;
    const head = text.charCodeAt(start);
    if (head === 0x2022 || head === 45) bullets++;
    if (text.charCodeAt(end - 1) === 0x2026 || (end - start > 2 && text.endsWith("...", end))) ellipses++;
  });
  return { lines, bullets, ellipses };
};

const isTerminal = (line: string): boolean => {
  const last = line.charCodeAt(line.length - 1);
  if (last < 128) return last === 46 || last === 33 || last === 63;
  return terminals.some((mark) => line.endsWith(mark));
};

const flowStats = (text: string, length: (part: string) => number): FlowStats => {
  const all = text.split("\n");
  const lines = all.filter((line) => {
    const [start, end] = trimmedSpan(line, 0, line.length);
    return start < end;
  });
  let [terminal, short] = [0, 0];
  for (const line of lines) {
    if (isTerminal(line)) terminal++;
    if (line.length <= SHORT_LINE || (line.length <= 2 * SHORT_LINE && length(line) <= SHORT_LINE)) short++;
  }
  const { repeatedChars } = repeatsOf(lines, length);
  return { lines: lines.length, terminal, short, repeatedChars, feeds: all.length - 1 };
};

const occurrences = (text: string, what: string): number => {
  let found = 0;
  for (let at = text.indexOf(what); at >= 0; at = text.indexOf(what, at + what.length)) found++;
  return found;
};

const once = <T>(make: () => T): (() => T) => {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
};

/** Statistics of `text`, counted as they are asked for. */
export const textStats = (text: string): TextStats => {
  const chars = characterCount(text);
  // Without surrogate pairs, code units are code points.
  const length = chars === text.length ? (part: string): number => part.length : characterCount;
  const split = once((): Words => splitWords(text));
  const ids = once((): WordIds => wordIds(text, split()));
  return {
    text,
    chars,
    wordCount: () => split().count,
    words: once(() => wordStats(text, split(), ids())),
    repetition: once(() => repetition(ids())),
    lines: once(() => lineStats(text)),
    flow: once(() => flowStats(text, length)),
    repeatedLines: once(() => repeatsOf(text.split(/\n+/), length)),
    repeatedParagraphs: once(() => {
      const [start, end] = trimmedSpan(text, 0, text.length);
      return repeatsOf(text.slice(start, end).split(/\n{2,}/), length);
    }),
    occurrences: (what) => occurrences(text, what),
  };
};
