/**
 * Tokenizers: what they do, and what all kinds share. The kinds are in `byteLevelTokenizer.ts`, `char.ts`
 * and, for what other people's checkpoints bring, `pipeline.ts`.
 */
import { ConfigError } from "../util/errors.ts";
import { tokenFinder } from "./steps/tokenFinder.ts";

/** A value of JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The files that Hugging Face's libraries read a tokenizer from. */
export interface TokenizerFiles {
  /** Contents of tokenizer.json. */
  readonly tokenizer: Json;
  /** Contents of tokenizer_config.json. */
  readonly config: Json;
}

/** What else those files say. */
export interface FilesOptions {
  /** Longest input of the model, tokens; written as `model_max_length`. */
  readonly modelMaxLength?: number;
}

/** Whether special tokens are read from the text, and put around it. */
export interface EncodeOptions {
  /** Read special tokens that stand in the text as such; otherwise they are text like any other. */
  readonly special?: boolean;
  /** Put the special tokens around the text that the model expects there ([CLS], [SEP], <s>, </s>). */
  readonly template?: boolean;
}

/** A second text, and the longest input. */
export interface InputOptions {
  /** The second of two texts. */
  readonly pair?: string;
  /** Most ids, the template's own included; the longer text loses its end first. */
  readonly maxLength?: number;
  /** As in EncodeOptions. */
  readonly special?: boolean;
}

/** What an encoder reads: one or two texts with the template's tokens around them. */
export interface TokenInputs {
  readonly ids: Uint32Array;
  /** Which of two texts each token is of, as `token_type_ids`. */
  readonly typeIds: Uint32Array;
}

/** Ids of the tokens that have a role; those that a tokenizer does not have are absent. */
export interface SpecialIds {
  readonly bos?: number;
  readonly eos?: number;
  readonly pad?: number;
  readonly unk?: number;
  readonly cls?: number;
  readonly sep?: number;
  readonly mask?: number;
}

/** Turns tokens into text as they come. */
export interface StreamDecoder {
  /** The text that is certain after one more token: an incomplete character is held back. */
  push(id: number): string;
  /** What was held back. */
  end(): string;
}

/** Text to token ids and back. */
export interface Tokenizer {
  readonly kind: "bpe" | "char" | "wordpiece" | "unigram" | "wordlevel";
  /** One more than the highest id. */
  readonly vocabSize: number;
  /**
   * Id of the token that ends a text; where there is none (BERT), of what separates texts, else of padding,
   * else of the first special token. `specials.eos` is absent then. Throws FormatError where no token can.
   */
  readonly eos: number;
  readonly specials: SpecialIds;
  /** Tokenizer of the other language, where that has pieces of its own (Marian). Ids are shared. */
  readonly target?: Tokenizer;
  encode(text: string, options?: EncodeOptions): Uint32Array;
  /** Appends the ids of `text` to `out`: many texts go into one buffer. */
  encodeInto(text: string, out: IdBuffer, options?: EncodeOptions): void;
  /** One or two texts as an encoder model reads them. Throws ConfigError where `maxLength` is too small. */
  encodeInputs(text: string, options?: InputOptions): TokenInputs;
  /**
   * The text of ids; special tokens are left out unless told. An id beyond the vocabulary has no text: models
   * have rows that no token has. Throws ConfigError for what is no id.
   */
  decode(ids: ArrayLike<number>, options?: { readonly keepSpecial?: boolean }): string;
  /** The bytes that `decode` makes its text of; special tokens have none. */
  decodeBytes(ids: ArrayLike<number>): Uint8Array;
  /** UTF-8 bytes of one token; none for special ones and for those of no token. */
  bytesOf(id: number): Uint8Array;
  idOf(token: string): number | undefined;
  /** Decodes id by id what stands behind `prompt`: a space between the two is the first token's. */
  streamDecoder(prompt?: ArrayLike<number>): StreamDecoder;
  files(options?: FilesOptions): TokenizerFiles;
}

/** Makes a function that splits a text at `tokens`, the longest first; odd places are the tokens. */
export const tokenSplitter = (tokens: readonly string[]): ((text: string) => string[]) => {
  if (tokens.length === 0) return (text) => [text];
  const find = tokenFinder(tokens);
  return (text) => {
    const parts: string[] = [];
    let at = 0;
    find(text, (start, token) => {
      parts.push(text.slice(at, start), token);
      at = start + token.length;
    });
    parts.push(text.slice(at));
    return parts;
  };
};

const NO_BYTES = new Uint8Array(0);

/** `id`, which may be one of no token, but is an id. Throws ConfigError. */
export const checkedId = (id: number): number => {
  if (Number.isInteger(id) && id >= 0) return id;
  throw new ConfigError(`${id} is no id of a token`);
};

/** Decoding shared by all kinds, from the bytes of each token. */
export const decoding = (
  bytes: readonly Uint8Array[],
  tokens: readonly string[],
  specials: ReadonlySet<number>,
) => {
  const bytesOf = (id: number): Uint8Array => bytes[checkedId(id)] ?? NO_BYTES;
  const decode: Tokenizer["decode"] = (ids, { keepSpecial = false } = {}) => {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    let text = "";
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      if (!specials.has(id)) text += decoder.decode(bytesOf(id), { stream: true });
      else if (keepSpecial) text += decoder.decode() + tokens[id];
    }
    return text + decoder.decode();
  };
  const decodeBytes: Tokenizer["decodeBytes"] = (ids) => {
    let size = 0;
    for (let i = 0; i < ids.length; i++) size += bytesOf(ids[i]!).length;
    const out = new Uint8Array(size);
    for (let i = 0, at = 0; i < ids.length; i++) {
      out.set(bytesOf(ids[i]!), at);
      at += bytesOf(ids[i]!).length;
    }
    return out;
  };
  const streamDecoder = (): StreamDecoder => {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return {
      push: (id) => decoder.decode(bytesOf(id), { stream: true }),
      end: () => decoder.decode(),
    };
  };
  return { bytesOf, decode, decodeBytes, streamDecoder };
};

/** Ids as they come, in a typed array that grows. */
export const idBuffer = (size = 16) => {
  let ids = new Uint32Array(Math.max(16, size));
  let length = 0;
  return {
    get length() {
      return length;
    },
    push(id: number): void {
      if (length === ids.length) {
        const wider = new Uint32Array(ids.length * 2);
        wider.set(ids);
        ids = wider;
      }
      ids[length++] = id;
    },
    take: (): Uint32Array => ids.slice(0, length),
  };
};

/** A growing list of ids. */
export type IdBuffer = ReturnType<typeof idBuffer>;

/** The entries of tokenizer.json that every kind has. */
export const commonJson = (specials: readonly string[], idOf: (token: string) => number) => ({
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: specials.map((content) => ({
    id: idOf(content),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })),
  normalizer: null,
});

/** tokenizer_config.json. */
export const configJson = (
  { eos, unknown = eos, tokenizerClass }: { eos: string; unknown?: string; tokenizerClass: string },
  { modelMaxLength = 1_000_000 }: FilesOptions = {},
): Json => ({
  tokenizer_class: tokenizerClass,
  bos_token: eos,
  eos_token: eos,
  pad_token: eos,
  unk_token: unknown,
  add_prefix_space: false,
  add_bos_token: false,
  clean_up_tokenization_spaces: false,
  model_max_length: modelMaxLength,
});
