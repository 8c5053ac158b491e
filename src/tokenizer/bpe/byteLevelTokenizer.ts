/** The byte-level BPE tokenizer of GPT-2, Llama 3 and Qwen, from its parts. */
import { FormatError } from "../../util/errors.ts";
import { encoding, type PlainEncoder } from "../inputs.ts";
import { type InputTemplate, templateOf } from "../steps/postProcessor.ts";
import {
  commonJson,
  configJson,
  decoding,
  type FilesOptions,
  type IdBuffer,
  type Json,
  type SpecialIds,
  type Tokenizer,
  type TokenizerFiles,
  tokenSplitter,
} from "../tokenizer.ts";
import { merger } from "./bpe.ts";
import {
  byteChars,
  bytesToken,
  gpt2Splitter,
  type Splitter,
  tokenBytes,
  withPrefixSpace,
} from "./byteLevel.ts";
import { CACHE_BYTES, wordCache } from "./cache.ts";
import { type PairMerge, pairTable } from "./pairs.ts";
import { windows } from "./window.ts";

/** What a byte-level tokenizer is made of. */
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

/** Words are remembered up to this many: text repeats its words, and memory has an end. */
const CACHE_WORDS = 1 << 16;

const mergesById = (parts: ByteLevelParts, ids: ReadonlyMap<string, number>): PairMerge[] =>
  parts.merges.map(([a, b], rank) => {
    const [left, right, id] = [ids.get(a), ids.get(b), ids.get(a + b)];
    if (left === undefined || right === undefined || id === undefined) {
      throw new FormatError(`merge ${rank} (${a} ${b}) joins or makes a token that the vocabulary lacks`);
    }
    return { left, right, rank, id };
  });

/** Id of each byte; -1 for bytes that UTF-8 never has. */
const idsOfBytes = (ids: ReadonlyMap<string, number>): Int32Array =>
  Int32Array.from(byteChars, (char, byte) => {
    const id = ids.get(char);
    const never = byte === 0xc0 || byte === 0xc1 || byte > 0xf4;
    if (id === undefined && !never) throw new FormatError(`has no token for the byte ${byte}`);
    return id ?? -1;
  });

/** Appends the ids of the word that bytes `from` to `to` are. */
type WordEncoder = (bytes: Uint8Array, from: number, to: number, out: IdBuffer) => void;

/** Encodes a word into an array, and returns how many ids it has. */
const freshWord = (parts: ByteLevelParts, ids: ReadonlyMap<string, number>) => {
  const merge = merger(pairTable(mergesById(parts, ids)));
  const byteIds = idsOfBytes(ids);
  return (bytes: Uint8Array, from: number, to: number, symbols: Int32Array): number => {
    const whole = parts.ignoreMerges ? ids.get(bytesToken(bytes.subarray(from, to))) : undefined;
    if (whole !== undefined) {
      symbols[0] = whole;
      return 1;
    }
    for (let i = from; i < to; i++) symbols[i - from] = byteIds[bytes[i]!]!;
    return merge(symbols, to - from);
  };
};

const wordEncoder = (parts: ByteLevelParts, ids: ReadonlyMap<string, number>): WordEncoder => {
  const fresh = freshWord(parts, ids);
  const cache = wordCache(CACHE_WORDS);
  const short = new Int32Array(CACHE_BYTES);
  return (bytes, from, to, out) => {
    const length = to - from;
    if (length > CACHE_BYTES) {
      const symbols = new Int32Array(length);
      const count = fresh(bytes, from, to, symbols);
      for (let k = 0; k < count; k++) out.push(symbols[k]!);
      return;
    }
    const hash = cache.hash(bytes, from, to);
    const slot = cache.find(bytes, from, to, hash);
    const known = cache.count(slot);
    for (let k = 0; k < known; k++) out.push(cache.id(slot, k));
    if (known > 0) return;
    const count = fresh(bytes, from, to, short);
    cache.put(bytes, from, to, hash, short, count);
    for (let k = 0; k < count; k++) out.push(short[k]!);
  };
};

/** Appends the ids of a text that holds no added tokens. */
type TextEncoding = (text: string, out: IdBuffer) => void;

const ordinaryText = (split: Splitter, encodeWord: WordEncoder): TextEncoding => {
  const { scan, prefixSpace = false } = split;
  if (scan === undefined) {
    const utf8 = new TextEncoder();
    return (text, out) =>
      split(text, (word) => {
        const bytes = utf8.encode(word);
        encodeWord(bytes, 0, bytes.length, out);
      });
  }
  const inWindows = windows();
  return (text, out) =>
    inWindows(prefixSpace ? withPrefixSpace(text) : text, (bytes, size) => {
      for (let at = 0; at < size; ) {
        const end = scan(bytes, at, size);
        encodeWord(bytes, at, end, out);
        at = end;
      }
    });
};

const encoderInto = (parts: ByteLevelParts, ids: ReadonlyMap<string, number>): PlainEncoder => {
  const { specialTokens, addedTokens = [], normalize, split = gpt2Splitter() } = parts;
  const encodeText = ordinaryText(split, wordEncoder(parts, ids));
  const ordinary = tokenSplitter(addedTokens);
  const all = tokenSplitter([...specialTokens, ...addedTokens]);
  return (text, out, special) => {
    const pieces = special ? all(text) : ordinary(text);
    pieces.forEach((piece, i) => {
      if (i % 2 === 1) out.push(ids.get(piece)!);
      else encodeText(normalize === undefined ? piece : normalize(piece), out);
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
