/**
 * Decontamination: finds in documents the n-grams of evaluation records (Brown et al. 2020,
 * https://arxiv.org/abs/2005.14165, appendix C: 13 words, shorter records whole). Words are runs of letters
 * and digits in lower case, in scripts without spaces single characters. A hit by hash is compared word by
 * word with the record before it counts.
 */
import { ConfigError, DataError } from "../../util/errors.ts";
import { ALPHA, characterClass, DIGIT } from "../text/characters.ts";
import { eachGram, GramTable, type Hashed, hashedWords, parts } from "./gramTable.ts";

/** How long an n-gram is, and which records are too short to be looked for. */
export interface ContaminationOptions {
  /** Words of an n-gram; default 13. Of scripts without spaces, twice as many characters. */
  readonly words?: number;
  /**
   * Shorter records than this many words are not looked for: they are found by chance. Default 8; of scripts
   * without spaces, half as many more characters.
   */
  readonly minWords?: number;
  /** Share of a record's n-grams that must stand in the document; default 0: any one. */
  readonly minShare?: number;
  /** What goes of a document that hits: all of it, or the n-grams with what stands around them. */
  readonly action?: "drop" | "cut";
  /** Characters cut at either side of a hit; default 200. */
  readonly window?: number;
}

/** A record that must not be trained on. */
export interface EvaluationRecord {
  readonly id: string;
  readonly text: string;
  /** The parts that are looked for each by itself, such as question and answer; the text where absent. */
  readonly parts?: readonly string[];
}

/** An n-gram of a record in a document. */
export interface Hit {
  /** Id of the record. */
  readonly record: string;
  /** The n-gram as it stands in the document. */
  readonly gram: string;
  /** Share of the record's n-grams that the document has. */
  readonly share: number;
}

/** What of a text is in evaluation records. */
export interface Contamination {
  readonly hits: readonly Hit[];
  /** [start, end) of the text that hits cover, in order, apart from one another. */
  readonly spans: readonly (readonly [start: number, end: number])[];
}

/** How many records are looked for. */
export interface EvaluationCounts {
  readonly records: number;
  /** Records that are too short to be looked for. */
  readonly tooShort: number;
}

/** The n-grams of evaluation records, to look texts up in. */
export interface ContaminationIndex extends EvaluationCounts {
  /** Different n-grams. */
  readonly grams: number;
  find(text: string): Contamination;
}

interface Found {
  readonly at: number;
  readonly n: number;
  readonly slot: number;
}

const allFound = (table: GramTable, lengths: readonly number[], words: Hashed): Found[] => {
  const found: Found[] = [];
  for (const n of lengths) {
    eachGram(words.a, words.count, n, (hash, at) => {
      const slot = table.slot(hash, words, at, n);
      if (table.places[slot] !== 0) found.push({ at, n, slot });
    });
  }
  return found.sort((x, y) => x.at - y.at || y.n - x.n);
};

/** The hits of the records of which enough is found, one each. */
const contaminationOf = (
  table: GramTable,
  found: readonly Found[],
  words: Hashed,
  text: string,
  minShare: number,
) => {
  const slots = new Map<number, Set<number>>();
  for (const { slot } of found) {
    const record = table.records[slot]!;
    slots.set(record, (slots.get(record) ?? new Set()).add(slot));
  }
  const hits = new Map<number, Hit>();
  const spans: [number, number][] = [];
  for (const { at, n, slot } of found) {
    const record = table.records[slot]!;
    const share = slots.get(record)!.size / table.owned[record]!;
    if (share < minShare) continue;
    const [start, end] = [words.starts[at]!, words.ends[at + n - 1]!];
    const last = spans.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
    else spans.push([start, end]);
    if (!hits.has(record))
      hits.set(record, { record: table.ids[record]!, gram: text.slice(start, end), share });
  }
  return { hits: Array.from(hits.values()), spans };
};

/** Checks the options; throws a ConfigError for one that is out of range. */
export const checkContamination = (options: ContaminationOptions): Required<ContaminationOptions> => {
  const { words = 13, minWords = Math.min(8, words), minShare = 0, action = "drop", window = 200 } = options;
  const bad = (field: string, hint: string): never => {
    throw new ConfigError("out of range", { field: `filter.contamination.${field}`, hint });
  };
  if (!Number.isInteger(words) || words < 1 || words > 1000) bad("words", "a whole number of 1 to 1000");
  if (!Number.isInteger(minWords) || minWords < 1 || minWords > words) bad("minWords", `1 to ${words}`);
  if (!(minShare >= 0 && minShare <= 1)) bad("minShare", "0 to 1");
  if (action !== "drop" && action !== "cut") bad("action", '"drop" or "cut"');
  if (!(window >= 0)) bad("window", "0 or more characters");
  return { words, minWords, minShare, action, window };
};

/** Characters that are as rare as `words` words. */
const fewest = (words: number): number => Math.ceil(1.5 * words);

const isUnspaced = ({ count, unspaced }: Hashed): boolean => 2 * unspaced > count;

/** Whether a text is long enough to be found by more than chance. */
const isLong = (words: Hashed, least: number): boolean =>
  words.count >= (isUnspaced(words) ? fewest(least) : least);

/**
 * Whether a record's text is long enough to be looked for. Throws ConfigError as `contaminationIndex` does.
 */
export const isLookedFor = (text: string, options: ContaminationOptions = {}): boolean =>
  isLong(hashedWords(text), checkContamination(options).minWords);

/**
 * Index of the n-grams of evaluation records: 8 bytes for each word and at most 28 to 56 for each different
 * n-gram. An n-gram that several records have counts for the first. Throws a DataError where no record is
 * long enough.
 */
export const contaminationIndex = (
  evaluation: Iterable<EvaluationRecord>,
  options: ContaminationOptions = {},
): ContaminationIndex => {
  const { words: longest, minWords, minShare } = checkContamination(options);
  const table = new GramTable();
  const lengths = new Set<number>();
  let records = 0;
  let tooShort = 0;
  for (const { id, text, parts = [text] } of evaluation) {
    records++;
    const long = parts.map(hashedWords).filter((words) => isLong(words, minWords));
    if (long.length === 0) {
      tooShort++;
      continue;
    }
    const record = table.ids.push(id) - 1;
    table.owned.push(0);
    for (const words of long) {
      const n = Math.min(isUnspaced(words) ? 2 * longest : longest, words.count);
      lengths.add(n);
      const base = table.append(words);
      eachGram(words.a, words.count, n, (hash, at) => table.add(hash, base + at, n, record));
    }
  }
  if (table.grams === 0) {
    const least = `${minWords} words, or ${fewest(minWords)} characters of a script without spaces`;
    throw new DataError(`none of ${records} evaluation records has a text of ${least}`, {
      field: "filter.contamination.minWords",
      hint: "give evaluation files with longer texts: shorter ones stand in other texts by chance",
    });
  }
  const sizes = Array.from(lengths);
  const find = (text: string): Contamination => {
    const words = hashedWords(text);
    return contaminationOf(table, allFound(table, sizes, words), words, text, minShare);
  };
  return { records, tooShort, grams: table.grams, find };
};

const MIN_PIECE = 200;

/** Whether a word goes on from the character before `at` to the one at it. */
const insideWord = (text: string, at: number): boolean => {
  if (at <= 0 || at >= text.length) return false;
  const [before, after] = [characterClass(text, at - 1), characterClass(text, at)];
  if ((before & (ALPHA | DIGIT)) === 0 || (after & (ALPHA | DIGIT)) === 0) return false;
  return !parts(before, after, text.charCodeAt(at));
};

/**
 * `text` without the spans and `window` characters around each, to the ends of words; pieces that are left of
 * less than 200 characters go too. The others are parted by a blank line.
 */
export const cutSpans = (text: string, spans: Contamination["spans"], window = 200): string => {
  const pieces: string[] = [];
  let from = 0;
  const keep = (to: number): void => {
    const piece = text.slice(from, Math.max(from, to)).trim();
    if (piece.length >= MIN_PIECE) pieces.push(piece);
  };
  for (const [start, end] of spans) {
    let left = Math.max(0, start - window);
    while (insideWord(text, left)) left--;
    keep(left);
    let right = Math.min(text.length, end + window);
    while (insideWord(text, right)) right++;
    from = Math.max(from, right);
  }
  keep(text.length);
  return pieces.join("\n\n");
};
