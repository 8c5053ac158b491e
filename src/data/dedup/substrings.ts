/**
 * Long verbatim substrings that several documents share (Lee et al. 2021, https://arxiv.org/abs/2107.06499):
 * all but the first occurrence go. Winnowed hashes propose and the texts decide, so nothing is cut that was
 * not compared character by character. Where Lee et al. sort all suffixes, this streams twice and holds only
 * the neighbourhoods of repeated hashes, so that memory follows the repeated text, not all of it.
 */
import { ConfigError } from "../../util/errors.ts";
import { isConversation } from "../records/conversation.ts";
import type { Document, StageRecorder } from "../records/document.ts";
import { type Cut, cutText, trimmed, withText } from "../text/cuts.ts";
import { nameList, type RepeatedKeys, repeatedKeys } from "./repeats.ts";
import { type Match, snippets } from "./snippets.ts";
import { type Fingerprints, winnower } from "./winnow.ts";

/** How long a shared passage is at least, and where cuts end. */
export interface SubstringOptions {
  /** Least length in UTF-16 code units: 200, or what `minWords` words take at least. */
  readonly minChars?: number;
  /** Least number of whole words between white space, besides. */
  readonly minWords?: number;
  /** Where cuts end: at words or at whole lines, always within what is shared. */
  readonly border?: "word" | "line";
  /** Most memory, in bytes. Repeated text beyond it stays, and is counted. */
  readonly maxBytes?: number;
}

type Documents = AsyncIterable<Document> | Iterable<Document>;

const MiB = 2 ** 20;
const LEAST_CHARS = 16;

const rulesOf = (options: SubstringOptions) => {
  const { minWords = 0, border = "word", maxBytes = 384 * MiB } = options;
  // Words and the white space between them: n words take 2n - 1 characters at least.
  const minChars = options.minChars ?? (minWords > 0 ? Math.max(LEAST_CHARS, 2 * minWords - 1) : 200);
  if (!(Number.isInteger(minChars) && minChars >= LEAST_CHARS)) {
    throw new ConfigError(`must be a whole number from ${LEAST_CHARS}, not ${minChars}`, {
      field: "minChars",
      hint: "shorter texts repeat by chance",
    });
  }
  const gram = minChars >> 1;
  return { minChars, minWords, border, maxBytes, gram, window: minChars - gram + 1 };
};

type Rules = ReturnType<typeof rulesOf>;

/** What the first pass has found. */
export interface RepeatedSubstrings {
  readonly rules: Rules;
  readonly keys: RepeatedKeys;
}

/** First pass: which winnowed hashes come more than once. */
export const countSubstrings = async (
  documents: Documents,
  options: SubstringOptions = {},
): Promise<RepeatedSubstrings> => {
  const rules = rulesOf(options);
  const keys = repeatedKeys(rules.maxBytes / 2);
  const winnow = winnower(rules.gram, rules.window);
  for await (const doc of documents) {
    if (isConversation(doc)) continue;
    const { words, length } = winnow(doc.text);
    for (let i = 0; i < length; i += 3) keys.see(words[i + 1]!, words[i + 2]!);
  }
  return { rules, keys };
};

const WORD = /\S+/g;

/** Whether `text` from `start` to `end` has `least` whole words. */
const hasWords = (text: string, { start, end }: Cut, least: number): boolean => {
  const from = start > 0 && /\S/.test(text[start - 1]!) ? 1 : 0;
  const to = end < text.length && /\S/.test(text[end]!) ? 1 : 0;
  const part = text.slice(start, end);
  const ends = (from && /^\S/.test(part) ? 1 : 0) + (to && /\S$/.test(part) ? 1 : 0);
  return (part.match(WORD)?.length ?? 0) - ends >= least;
};

/** Matches that are looked at again before the texts are compared anew. */
const RECENT = 4;

/** Whether one match holds all substrings of `minChars` that hold the gram at `at`. */
const covers = ({ start, end }: Match, at: number, length: number, { minChars, gram }: Rules): boolean =>
  start <= Math.max(0, at + gram - minChars) && end >= Math.min(length, at + minChars);

/** What documents so far have in common with a text: longest matches, found at its repeated hashes. */
const matcher = ({ rules, keys }: RepeatedSubstrings) => {
  const winnow = winnower(rules.gram, rules.window);
  const held = snippets(keys.capacity, rules.maxBytes / 2, rules);
  const proposed = (text: string, { words, length }: Fingerprints, document: number): Match[] => {
    const matches: Match[] = [];
    for (let i = 0; i < length; i += 3) {
      const slot = keys.slot(words[i + 1]!, words[i + 2]!);
      if (slot < 0) continue;
      const at = words[i]!;
      if (matches.slice(-RECENT).some((match) => covers(match, at, text.length, rules))) continue;
      const found = held.matches(slot, text, at);
      matches.push(...found);
      if (!found.some((match) => covers(match, at, text.length, rules))) held.propose(slot, at);
    }
    held.store(text, document);
    return matches;
  };
  return {
    matches: (text: string, document: number): Match[] => proposed(text, winnow(text), document),
    held,
  };
};

/**
 * The matches that are part of `minWords` words. Pieces of one longer match, which may be held in several
 * documents, overlap by `minChars` or more and count as one.
 */
const longEnough = (text: string, matches: readonly Match[], { minChars, minWords }: Rules): Match[] => {
  if (minWords <= 0) return [...matches];
  const runs: { cut: Cut; parts: Match[] }[] = [];
  for (const match of matches.toSorted((a, b) => a.start - b.start)) {
    const run = runs.at(-1);
    if (run === undefined || match.start + minChars > run.cut.end) runs.push({ cut: match, parts: [match] });
    else {
      run.parts.push(match);
      run.cut = { start: run.cut.start, end: Math.max(run.cut.end, match.end) };
    }
  }
  return runs.filter(({ cut }) => hasWords(text, cut, minWords)).flatMap(({ parts }) => parts);
};

/** The union of matches: where two overlap, what follows belongs to the one that began first. */
const united = (matches: readonly Match[]): Match[] => {
  const union: Match[] = [];
  for (const match of matches.toSorted(
    (a, b) => a.start - b.start || b.end - a.end || a.document - b.document,
  )) {
    const last = union.at(-1);
    if (last === undefined || match.start >= last.end) union.push(match);
    else if (match.end > last.end) union.push({ ...match, start: last.end });
  }
  return union;
};

/** Neighbouring pieces as one cut, which names the document of its longest piece. */
const merged = (pieces: readonly Match[]): Match[] => {
  const cuts: (Match & { longest: number })[] = [];
  for (const piece of pieces) {
    const last = cuts.at(-1);
    const length = piece.end - piece.start;
    if (last?.end !== piece.start) cuts.push({ ...piece, longest: length });
    else {
      const document = length > last.longest ? piece.document : last.document;
      const longest = Math.max(length, last.longest);
      cuts[cuts.length - 1] = { start: last.start, end: piece.end, document, longest };
    }
  }
  return cuts.map(({ start, end, document }) => ({ start, end, document }));
};

/**
 * A function from each document, in order, to what in it stood in an earlier one, before any trimming to
 * borders: `matched` is that document's id. Every substring of `minChars` that an earlier document has is
 * found, unless memory ran out or more than 32 places share a part of it but not the whole.
 */
export const substringFinder = (index: RepeatedSubstrings) => {
  const names = nameList();
  const { matches, held } = matcher(index);
  const find = ({ id, text }: Document): (Cut & { matched: string })[] => {
    const document = names.add(id);
    const found = longEnough(text, matches(text, document), index.rules);
    return merged(united(found)).map(({ start, end, document: first }) => ({
      start,
      end,
      matched: names.at(first),
    }));
  };
  return { find, untracked: () => held.untracked() + index.keys.untracked };
};

/**
 * Second pass, over the same documents in the same order: cuts what stood in an earlier document. A document
 * goes when it is left empty; conversations stay whole. Cuts end at borders of words or lines and never reach
 * beyond what is shared.
 */
export async function* dropRepeatedSubstrings(
  documents: Documents,
  record: StageRecorder,
  index: RepeatedSubstrings,
): AsyncGenerator<Document> {
  const { find } = substringFinder(index);
  for await (const doc of documents) {
    record.in(doc);
    if (isConversation(doc)) {
      record.drop("conversation left whole", doc);
      record.out(doc);
      yield doc;
      continue;
    }
    const cuts = find(doc).flatMap((cut) => {
      const { start, end } = trimmed(doc.text, cut, index.rules.border);
      return start < end ? [{ ...cut, start, end }] : [];
    });
    for (const { start, end, matched } of cuts) {
      record.drop("repeated substring", { id: doc.id, text: doc.text.slice(start, end) }, matched);
    }
    const text = cuts.length > 0 ? cutText(doc.text, cuts) : doc.text;
    if (cuts.length > 0 && text === "") {
      record.drop("only repeated substrings", doc, cuts[0]!.matched);
      continue;
    }
    const rest = cuts.length > 0 ? withText(doc, text) : doc;
    record.out(rest);
    yield rest;
  }
}
