/** Character-level tokenizer: one token for each code point that the training text has. */
import { DataError } from "../../util/errors.ts";
import { encoding, type PlainEncoder } from "../inputs.ts";
import { templateOf } from "../steps/postProcessor.ts";
import {
  commonJson,
  configJson,
  decoding,
  type FilesOptions,
  type Tokenizer,
  tokenSplitter,
} from "../tokenizer.ts";

/** Ends a text, and stands for characters never seen. */
export const CHAR_SPECIALS = ["<|endoftext|>", "<unk>"] as const;

// A BPE model without merges over single characters: every reader of tokenizer.json knows it.
const filesOf = (ids: ReadonlyMap<string, number>, options: FilesOptions) => ({
  tokenizer: {
    ...commonJson(CHAR_SPECIALS, (token) => ids.get(token)!),
    pre_tokenizer: { type: "Split", pattern: { Regex: "[\\s\\S]" }, behavior: "Isolated", invert: false },
    post_processor: null,
    decoder: { type: "Fuse" },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<unk>",
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(ids),
      merges: [],
    },
  },
  config: configJson(
    { eos: CHAR_SPECIALS[0], unknown: "<unk>", tokenizerClass: "PreTrainedTokenizerFast" },
    options,
  ),
});

/** A tokenizer whose ids are the special tokens and then `characters` in their order. */
export const charTokenizerOf = (characters: readonly string[]): Tokenizer => {
  const tokens = [...CHAR_SPECIALS, ...characters];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const byCode = new Map(characters.map((char, i) => [char.codePointAt(0)!, CHAR_SPECIALS.length + i]));
  const utf8 = new TextEncoder();
  const bytes = tokens.map((token, id) =>
    id < CHAR_SPECIALS.length ? new Uint8Array(0) : utf8.encode(token),
  );
  const unknown = ids.get("<unk>")!;
  const splitSpecial = tokenSplitter(CHAR_SPECIALS);
  const plain: PlainEncoder = (text, out, special) => {
    const pieces = special ? splitSpecial(text) : [text];
    pieces.forEach((piece, i) => {
      if (i % 2 === 1) out.push(ids.get(piece)!);
      else
        for (let at = 0; at < piece.length; ) {
          const code = piece.codePointAt(at)!;
          out.push(byCode.get(code) ?? unknown);
          at += code > 0xffff ? 2 : 1;
        }
    });
  };
  return {
    kind: "char",
    vocabSize: tokens.length,
    eos: 0,
    specials: { bos: 0, eos: 0, pad: 0, unk: unknown },
    ...encoding(plain, templateOf(null)),
    idOf: (token) => ids.get(token),
    files: (options = {}) => filesOf(ids, options),
    ...decoding(bytes, tokens, new Set([0, 1])),
  };
};

/** Half of a character, alone: it cannot be written as UTF-8. */
const LONE = /^[\ud800-\udfff]$/;

/**
 * The character tokenizer of `texts`: code points in their own order. Throws DataError where there is no
 * text.
 */
export const charTokenizer = (texts: Iterable<string>): Tokenizer => {
  const seen = new Set<string>();
  for (const text of texts) for (const char of text) seen.add(char);
  const characters = [...seen].filter((char) => !LONE.test(char));
  if (characters.length === 0) throw new DataError("there is no text to make a tokenizer from");
  return charTokenizerOf(characters.sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!));
};
