/**
 * BPE over characters (SentencePiece's, with bytes for unknown ones; CLIP's, with an end of word), as the
 * `model` of a tokenizer.json describes it. Byte-level models that need no more have a faster form in
 * `byteLevelTokenizer.ts`.
 */

import { asText, type Fields, refuse, show } from "../json.ts";
import type { Json } from "../tokenizer.ts";
import { merger, pairKey } from "./bpe.ts";
import { type PairMerge, type PairTable, pairTable } from "./pairs.ts";

/** Ids of a model's tokens. */
export interface ModelIds {
  readonly all: ReadonlyMap<string, number>;
  /** Those that text can be: without special tokens, so that no text passes for one. */
  readonly text: ReadonlyMap<string, number>;
}

/** Calls `push` with the ids of a piece. */
export type PieceEncoder = (piece: string, push: (id: number) => void) => void;

/** Ids of the byte tokens `<0x00>` to `<0xFF>`, -1 where one is absent. */
export const byteIds = (ids: ReadonlyMap<string, number>): Int32Array =>
  Int32Array.from(
    { length: 256 },
    (_, byte) => ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`) ?? -1,
  );

/** The merges of a BPE model as pairs of tokens. Throws FormatError. */
export const mergesOf = (merges: Json | undefined): [string, string][] => {
  if (!Array.isArray(merges)) return refuse("has no list of merges");
  return merges.map((merge: Json, i) => {
    const pair: Json = typeof merge === "string" ? merge.split(" ") : merge;
    const [a, b] = Array.isArray(pair) && pair.length === 2 ? pair : [];
    if (typeof a !== "string" || typeof b !== "string") return refuse(`merge ${i} is not a pair`);
    return [a, b];
  });
};

const mergesById = (model: Fields, ids: ReadonlyMap<string, number>, prefix: string): PairTable => {
  const merges = new Map<number, PairMerge>();
  mergesOf(model.merges).forEach(([a, b], rank) => {
    const joined = ids.get(a + b.slice(b.startsWith(prefix) ? prefix.length : 0));
    const [left, right] = [ids.get(a), ids.get(b)];
    if (left !== undefined && right !== undefined && joined !== undefined)
      merges.set(pairKey(left, right), { left, right, rank, id: joined });
    else refuse(`merge ${rank} (${a} ${b}) joins or makes a token that the vocabulary lacks`);
  });
  return pairTable([...merges.values()]);
};

/**
 * Finds the id of the model's unknown token; undefined where it names none. Throws FormatError, when a text
 * needs it, where the vocabulary lacks it.
 */
export const unknownOf = (model: Fields, ids: ReadonlyMap<string, number>): (() => number | undefined) => {
  const { unk_token: token } = model;
  if (token === undefined || token === null) return () => undefined;
  const id = ids.get(asText(token));
  return () => id ?? refuse(`has no token for unk_token ${show(token)}, which a text needs`);
};

const text = (value: Json | undefined): string => (typeof value === "string" ? value : "");

/** Ids of the characters of a word, before merging. */
const symbolsOf = (model: Fields, ids: ModelIds, prefix: string) => {
  const suffix = text(model.end_of_word_suffix);
  const bytes = model.byte_fallback === true ? byteIds(ids.all) : undefined;
  const unknown = unknownOf(model, ids.all);
  const utf8 = new TextEncoder();
  const fallback = (symbol: string): number[] | undefined => {
    const found = bytes === undefined ? [-1] : Array.from(utf8.encode(symbol), (b) => bytes[b]!);
    return found.includes(-1) ? undefined : found;
  };
  return (word: string): number[] => {
    const out: number[] = [];
    let afterUnknown = false;
    for (let i = 0; i < word.length; ) {
      const char = String.fromCodePoint(word.codePointAt(i)!);
      const symbol = (i > 0 ? prefix : "") + char + (i + char.length === word.length ? suffix : "");
      const found = ids.text.get(symbol);
      const known = found === undefined ? fallback(symbol) : [found];
      if (known !== undefined) for (const id of known) out.push(id);
      else if (!(afterUnknown && model.fuse_unk === true)) {
        const id = unknown();
        if (id !== undefined) out.push(id);
      }
      afterUnknown = known === undefined;
      i += char.length;
    }
    return out;
  };
};

/** Words are remembered up to this many, and up to this length. */
const CACHE_WORDS = 1 << 16;
const CACHE_CHARS = 64;

/** The encoder of a BPE `model`. Throws FormatError where its parts do not fit together. */
export const bpeEncoder = (model: Fields, ids: ModelIds): PieceEncoder => {
  if (typeof model.dropout === "number" && model.dropout > 0)
    refuse(`has a BPE model with dropout ${model.dropout}: its ids would differ from one time to the next`);
  const prefix = text(model.continuing_subword_prefix);
  const merge = merger(mergesById(model, ids.all, prefix));
  const symbols = symbolsOf(model, ids, prefix);
  const cache = new Map<string, Uint32Array>();
  const encode = (word: string): Uint32Array => {
    const whole = model.ignore_merges === true ? ids.text.get(word) : undefined;
    if (whole !== undefined) return Uint32Array.of(whole);
    const merged = Int32Array.from(symbols(word));
    return Uint32Array.from(merged.subarray(0, merge(merged, merged.length)));
  };
  return (word, push) => {
    let encoded = cache.get(word);
    if (encoded === undefined) {
      encoded = encode(word);
      if (cache.size >= CACHE_WORDS) cache.clear();
      if (word.length <= CACHE_CHARS) cache.set(word, encoded);
    }
    for (const id of encoded) push(id);
  };
};
