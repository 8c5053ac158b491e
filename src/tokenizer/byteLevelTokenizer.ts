/** The byte-level BPE tokenizer of GPT-2, Llama 3 and Qwen, from its parts. */
import { FormatError } from "../util/errors.ts";
import { type Merge, mergeWord, pairKey } from "./bpe.ts";
import { byteChars, bytesToken, gpt2Splitter, type Splitter, tokenBytes } from "./byteLevel.ts";
import { encoding, type PlainEncoder } from "./inputs.ts";
import { type InputTemplate, templateOf } from "./postProcessor.ts";
import {
  commonJson,
  configJson,
  decoding,
  type FilesOptions,
  type Json,
  type SpecialIds,
  type Tokenizer,
  type TokenizerFiles,
  tokenSplitter,
} from "./tokenizer.ts";

export interface ByteLevelParts {
  /** Tokens in the byte alphabet, by id; special and added ones as they are written. */
  readonly tokens: readonly string[];
  readonly merges: readonly (readonly [string, string])[];
  /** Must be among `tokens`; the first ends a text. */
  readonly specialTokens: readonly string[];
  /** Whole tokens that are found in any text although they are not merged, like "<think>". */
  readonly addedTokens?: readonly string[];
  /** GPT-2's unless given. */
  readonly split?: Splitter;
  /** What is done to a text first. */
  readonly normalize?: (text: string) => string;
  /** A word that is a token is that token, whatever the merges say. */
  readonly ignoreMerges?: boolean;
  /** The files that the parts were read from, kept as they are. */
  readonly files?: TokenizerFiles;
  /** What stands around a text; nothing unless given. */
  readonly template?: InputTemplate;
  /** Ids of the tokens that have a role; the first special token ends and begins texts unless given. */
  readonly roles?: SpecialIds;
}

const filesOf = (
  parts: ByteLevelParts,
  ids: ReadonlyMap<string, number>,
  options: FilesOptions,
): TokenizerFiles => {
  const { files } = parts;
  if (files !== undefined) {
    const { modelMaxLength } = options;
    if (modelMaxLength === undefined) return files;
    return {
      ...files,
      config: { ...(files.config as { [key: string]: Json }), model_max_length: modelMaxLength },
    };
  }
  const model = {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: "",
    end_of_word_suffix: "",
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab: Object.fromEntries(ids),
    merges: parts.merges.map(([a, b]) => `${a} ${b}`),
  };
  return {
    tokenizer: {
      ...commonJson(parts.specialTokens, (token) => ids.get(token)!),
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: { type: "ByteLevel", add_prefix_space: true, trim_offsets: false, use_regex: true },
      decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
      model,
    },
    config: configJson({ eos: parts.specialTokens[0]!, tokenizerClass: "GPT2Tokenizer" }, options),
  };
};

/**
 * Words are remembered up to this many, and up to this length: text repeats its words, and memory has an end.
 */
const CACHE_WORDS = 1 << 16;
const CACHE_CHARS = 64;

const mergesById = (parts: ByteLevelParts, ids: ReadonlyMap<string, number>): Map<number, Merge> => {
  const merges = new Map<number, Merge>();
  parts.merges.forEach(([a, b], rank) => {
    const [left, right, id] = [ids.get(a), ids.get(b), ids.get(a + b)];
    if (left === undefined || right === undefined || id === undefined) {
      throw new FormatError(`merge ${rank} (${a} ${b}) joins or makes a token that the vocabulary lacks`);
    }
    const key = pairKey(left, right);
    if (!merges.has(key)) merges.set(key, { rank, id });
  });
  return merges;
};

/** Id of each byte; -1 for bytes that UTF-8 never has. */
const idsOfBytes = (ids: ReadonlyMap<string, number>): Int32Array =>
  Int32Array.from(byteChars, (char, byte) => {
    const id = ids.get(char);
    const never = byte === 0xc0 || byte === 0xc1 || byte > 0xf4;
    if (id === undefined && !never) throw new FormatError(`has no token for the byte ${byte}`);
    return id ?? -1;
  });

/** Ids of a word: a number where it is one token. */
const wordEncoder = (parts: ByteLevelParts, ids: ReadonlyMap<string, number>) => {
  const merges = mergesById(parts, ids);
  const byteIds = idsOfBytes(ids);
  const cache = new Map<string, number | Uint32Array>();
  const utf8 = new TextEncoder();
  const encode = (word: string): number | Uint32Array => {
    const bytes = utf8.encode(word);
    const whole = parts.ignoreMerges ? ids.get(bytesToken(bytes)) : undefined;
    if (whole !== undefined) return whole;
    const symbols = new Int32Array(bytes.length);
    for (let i = 0; i < bytes.length; i++) symbols[i] = byteIds[bytes[i]!]!;
    const merged = mergeWord(symbols, merges);
    return merged.length === 1 ? merged[0]! : merged;
  };
  return (word: string): number | Uint32Array => {
    const known = cache.get(word);
    if (known !== undefined) return known;
    const encoded = encode(word);
    if (word.length > CACHE_CHARS) return encoded;
    if (cache.size >= CACHE_WORDS) cache.clear();
    cache.set(word, encoded);
    return encoded;
  };
};

const encoderInto = (parts: ByteLevelParts, ids: ReadonlyMap<string, number>): PlainEncoder => {
  const { specialTokens, addedTokens = [], normalize, split = gpt2Splitter() } = parts;
  const encodeWord = wordEncoder(parts, ids);
  const ordinary = tokenSplitter(addedTokens);
  const all = tokenSplitter([...specialTokens, ...addedTokens]);
  return (text, out, special) => {
    const append = (word: string): void => {
      const encoded = encodeWord(word);
      if (typeof encoded === "number") out.push(encoded);
      else for (let i = 0; i < encoded.length; i++) out.push(encoded[i]!);
    };
    const pieces = special ? all(text) : ordinary(text);
    pieces.forEach((piece, i) => {
      if (i % 2 === 1) out.push(ids.get(piece)!);
      else split(normalize === undefined ? piece : normalize(piece), append);
    });
  };
};

/** A byte-level BPE tokenizer from its parts. Throws FormatError where they do not fit together. */
export const byteLevelTokenizer = (parts: ByteLevelParts): Tokenizer => {
  const ids = new Map(parts.tokens.map((token, id) => [token, id]));
  const specials = new Set(parts.specialTokens.map((token) => ids.get(token)!));
  const added = new Set(parts.addedTokens);
  const utf8 = new TextEncoder();
  const bytes = parts.tokens.map((token, id) => {
    if (specials.has(id)) return new Uint8Array(0);
    const own = added.has(token) ? utf8.encode(token) : tokenBytes(token);
    if (own === undefined) throw new FormatError(`the token ${JSON.stringify(token)} is not made of bytes`);
    return own;
  });
  const eos = ids.get(parts.specialTokens[0]!)!;
  return {
    kind: "bpe",
    vocabSize: parts.tokens.length,
    eos,
    specials: parts.roles ?? { bos: eos, eos, pad: eos, unk: eos },
    ...encoding(encoderInto(parts, ids), parts.template ?? templateOf(null)),
    idOf: (token) => ids.get(token) ?? ids.get(bytesToken(utf8.encode(token))),
    files: (options = {}) => filesOf(parts, ids, options),
    ...decoding(bytes, parts.tokens, specials),
  };
};
