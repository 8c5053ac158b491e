/**
 * Learns a byte-level BPE vocabulary from text. The distinct words lie end to end in one linked list, each
 * pair knows its places in it, and the most frequent pair comes from a heap whose stale entries are corrected
 * when they surface; so a merge costs what it changes, however long the words. Ties go to the lower ids: the
 * result is a pure function of the text. Ids: special tokens first, then the 256 bytes, then the merges in
 * the order learnt.
 */
import { ConfigError, DataError } from "../../util/errors.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { pairKey, pairOf } from "./bpe.ts";
import { byteChars, gpt2Splitter } from "./byteLevel.ts";
import { byteLevelTokenizer } from "./byteLevelTokenizer.ts";
import { heap } from "./heap.ts";

/** How large the vocabulary is, and its special tokens. */
export interface TrainBpeOptions {
  /**
   * Entries in all: special tokens, 256 bytes and merges. Fewer are learnt where no pair occurs twice any
   * more.
   */
  readonly vocab: number;
  /** The first is the end of a text. */
  readonly specialTokens?: readonly string[];
  /** Checked while counting and between merges; its reason is thrown. */
  readonly signal?: AbortSignal;
  /** Tokens learnt of those wanted. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The largest vocabulary: keys of pairs stay exact integers. */
const MAX_VOCAB = 1 << 24;

/** How often each word occurs. */
const countWords = (texts: Iterable<string>, { signal }: TrainBpeOptions): Map<string, number> => {
  const counts = new Map<string, number>();
  const split = gpt2Splitter();
  for (const text of texts) {
    signal?.throwIfAborted();
    split(text, (word) => counts.set(word, (counts.get(word) ?? 0) + 1));
  }
  return counts;
};

/**
 * The bytes of all words end to end: symbol, neighbours (-1 at a word's ends) and the word's count for each
 * place.
 */
const layOut = (words: ReadonlyMap<string, number>, firstByte: number) => {
  const utf8 = new TextEncoder();
  const encoded = Array.from(words, ([word, count]) => ({ bytes: utf8.encode(word), count }));
  const size = encoded.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const symbols = new Int32Array(size);
  const next = new Int32Array(size);
  const previous = new Int32Array(size);
  const counts = new Float64Array(size);
  let at = 0;
  for (const { bytes, count } of encoded) {
    for (let i = 0; i < bytes.length; i++, at++) {
      symbols[at] = firstByte + bytes[i]!;
      next[at] = i + 1 < bytes.length ? at + 1 : -1;
      previous[at] = i > 0 ? at - 1 : -1;
      counts[at] = count;
    }
  }
  return { symbols, next, previous, counts };
};

interface Pair {
  count: number;
  /** Ascending; a place whose pair has changed since stays here and is passed over. */
  readonly places: number[];
}

const count = (pairs: Map<number, Pair>, key: number, by: number, place: number): void => {
  const pair = pairs.get(key);
  if (pair === undefined) {
    if (by > 0) pairs.set(key, { count: by, places: [place] });
    return;
  }
  pair.count += by;
  if (by > 0) pair.places.push(place);
};

/** Makes `id` of the pair `a`, `b` wherever it stands and returns the pairs that arose. */
const merge = (
  text: ReturnType<typeof layOut>,
  pairs: Map<number, Pair>,
  key: number,
  id: number,
): Set<number> => {
  const { symbols, next, previous, counts } = text;
  const [a, b] = pairOf(key);
  const { places } = pairs.get(key)!;
  pairs.delete(key);
  const arisen = new Set<number>();
  const arise = (pair: number, by: number, place: number): void => {
    count(pairs, pair, by, place);
    arisen.add(pair);
  };
  for (const at of places) {
    const gone = next[at]!;
    if (symbols[at] !== a || gone < 0 || symbols[gone] !== b) continue;
    const [before, after, weight] = [previous[at]!, next[gone]!, counts[at]!];
    if (before >= 0) count(pairs, pairKey(symbols[before]!, a), -weight, before);
    if (after >= 0) count(pairs, pairKey(b, symbols[after]!), -weight, gone);
    symbols[at] = id;
    symbols[gone] = -1;
    next[at] = after;
    if (after >= 0) previous[after] = at;
    if (before >= 0) arise(pairKey(symbols[before]!, id), weight, before);
    if (after >= 0) arise(pairKey(id, symbols[after]!), weight, at);
  }
  return arisen;
};

/** Pairs with their counts and places, and those that wait to be merged. */
const indexPairs = ({ symbols, next, counts }: ReturnType<typeof layOut>) => {
  const pairs = new Map<number, Pair>();
  for (let at = 0; at < symbols.length; at++) {
    if (next[at]! >= 0) count(pairs, pairKey(symbols[at]!, symbols[next[at]!]!), counts[at]!, at);
  }
  const queue = heap(pairs.size + 1);
  for (const [key, pair] of pairs) queue.push(-pair.count, key);
  return { pairs, queue };
};

/**
 * The merges, most frequent first; extends `tokens`, of which the first `specials` are special, up to
 * `vocab`.
 */
const learn = (
  text: ReturnType<typeof layOut>,
  tokens: string[],
  specials: number,
  options: TrainBpeOptions,
) => {
  const { vocab, signal, onProgress } = options;
  const { pairs, queue } = indexPairs(text);
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges = new Map<number, [string, string]>();
  const start = tokens.length;
  while (tokens.length < vocab && queue.pop()) {
    const key = queue.second;
    const now = pairs.get(key)?.count ?? 0;
    if (now < 2) continue;
    if (now !== -queue.first) {
      queue.push(-now, key);
      continue;
    }
    const [a, b] = pairOf(key).map((id) => tokens[id]!) as [string, string];
    // Two pairs can spell the same token ("a" "bc" and "ab" "c"): it has one id, and both merges lead to it.
    const id = ids.get(a + b) ?? tokens.length;
    if (id < specials) throw clash(a + b);
    if (id === tokens.length) tokens.push(a + b);
    ids.set(a + b, id);
    merges.set(key, [a, b]);
    for (const pair of merge(text, pairs, key, id)) queue.push(-pairs.get(pair)!.count, pair);
    if (merges.size % 256 !== 0) continue;
    onProgress?.(tokens.length - start, vocab - start);
    signal?.throwIfAborted();
  }
  return [...merges.values()];
};

const clash = (token: string): ConfigError =>
  new ConfigError(`${JSON.stringify(token)} is also an ordinary token`, {
    field: "tokenizer.specialTokens",
    hint: "choose one that text does not have, like <|endoftext|>",
  });

const check = (vocab: number, specialTokens: readonly string[]): void => {
  const least = specialTokens.length + 256;
  if (!Number.isInteger(vocab) || vocab < least || vocab > MAX_VOCAB) {
    const parts = `256 bytes and ${specialTokens.length} special tokens`;
    const range = vocab > MAX_VOCAB ? `at most ${MAX_VOCAB}` : `an integer, at least ${least} (${parts})`;
    throw new ConfigError(`must be ${range}, not ${vocab}`, { field: "tokenizer.vocab" });
  }
  const field = "tokenizer.specialTokens";
  if (specialTokens.length === 0)
    throw new ConfigError("needs at least the token that ends a text", { field });
  if (new Set(specialTokens).size < specialTokens.length)
    throw new ConfigError("names a token twice", { field });
  const short = specialTokens.find((token) => Array.from(token).length < 2);
  if (short !== undefined)
    throw new ConfigError(`${JSON.stringify(short)} is shorter than 2 characters`, { field });
};

/**
 * Trains a byte-level BPE tokenizer. Throws ConfigError for a vocabulary too small or a special token that is
 * also an ordinary one, DataError for no text.
 */
export const trainBpe = (texts: Iterable<string>, options: TrainBpeOptions): Tokenizer => {
  const { vocab, specialTokens = ["<|endoftext|>"] } = options;
  check(vocab, specialTokens);
  const words = countWords(texts, options);
  if (words.size === 0) throw new DataError("there is no text to train a tokenizer on");
  const tokens = [...specialTokens, ...byteChars];
  const merges = learn(layOut(words, specialTokens.length), tokens, specialTokens.length, options);
  return byteLevelTokenizer({ tokens, merges, specialTokens });
};
