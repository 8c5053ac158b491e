/** The vocabularies of before tokenizer.json: BERT's vocab.txt, and vocab.json with merges.txt of GPT-2. */
import { FormatError } from "../../util/errors.ts";
import { mergesOf } from "../bpe/anyBpe.ts";
import { asText, type Fields } from "../json.ts";
import { contentOf } from "../specials.ts";
import { checkId } from "../steps/addedTokens.ts";
import type { Json } from "../tokenizer.ts";
import {
  addedEntries,
  type OlderOptions,
  SAVE_HINT,
  specialEntry,
  templateJson,
  tokenizerJson,
} from "./older.ts";

const lacks = (file: string, token: string): never => {
  throw new FormatError(`has no token ${JSON.stringify(token)}`, {
    file,
    hint: "name the special tokens in tokenizer_config.json as the vocabulary has them",
  });
};

const linesOf = (text: string): string[] => {
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
};

const vocabLines = (text: string, file: string): Map<string, number> => {
  const ids = new Map<string, number>();
  linesOf(text).forEach((token, id) => {
    const other = ids.get(token);
    if (other !== undefined) {
      const what = `has the token ${JSON.stringify(token)} of line ${other + 1} again`;
      throw new FormatError(what, { file, line: id + 1 });
    }
    ids.set(token, id);
  });
  if (ids.size === 0) throw new FormatError("is empty", { file, hint: "a token a line is expected" });
  return ids;
};

/** What BERT calls its special tokens, and what MPNet does. */
const BERT_NAMES = { unk: "[UNK]", cls: "[CLS]", sep: "[SEP]", pad: "[PAD]", mask: "[MASK]" };
const MPNET_NAMES = { unk: "[UNK]", cls: "<s>", sep: "</s>", pad: "<pad>", mask: "<mask>" };

/**
 * vocab.txt of BERT or MPNet, a token a line, as a tokenizer.json. Throws FormatError, naming file and line.
 */
export const fromVocabTxt = (text: string, options: OlderOptions, file = "vocab.txt"): Json => {
  const ids = vocabLines(text, file);
  const { config, modelType = "" } = options;
  const isMpnet = /^mpnet/i.test(String(config.tokenizer_class ?? modelType));
  const names = isMpnet ? MPNET_NAMES : BERT_NAMES;
  const name = (role: keyof typeof names): string => contentOf(config[`${role}_token`]) ?? names[role];
  const [unk, cls, sep] = [name("unk"), name("cls"), name("sep")];
  const idOf = (token: string): number => ids.get(token) ?? lacks(file, token);
  for (const token of [unk, cls, sep]) idOf(token);
  const mask = name("mask");
  const given = [name("pad"), unk, cls, sep, mask]
    .filter((token) => ids.has(token))
    .map((token) => specialEntry(token, idOf(token), isMpnet && token === mask));
  const {
    do_lower_case: lowercase = true,
    tokenize_chinese_chars: cjk = true,
    strip_accents = null,
  } = config;
  return tokenizerJson({
    added: addedEntries(ids, options, given),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: cjk,
      strip_accents,
      lowercase,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: templateJson(
      `${cls} $A ${sep}`,
      isMpnet ? `${cls} $A ${sep} ${sep} $B ${sep}` : `${cls} $A ${sep} $B|1 ${sep}|1`,
      new Map([
        [cls, idOf(cls)],
        [sep, idOf(sep)],
      ]),
    ),
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: unk,
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(ids),
    },
  });
};

const mergeLines = (text: string, ids: ReadonlyMap<string, number>, file: string): [string, string][] =>
  linesOf(text).flatMap((line, i): [string, string][] => {
    if (line === "" || (i === 0 && line.startsWith("#version"))) return [];
    const pair = line.split(" ");
    if (pair.length === 2 && pair.every((part) => ids.has(part)) && ids.has(pair.join("")))
      return [[pair[0]!, pair[1]!]];
    throw new FormatError(`has the merge ${JSON.stringify(line)}, whose tokens vocab.json lacks`, {
      file,
      line: i + 1,
    });
  });

/** Qwen 2's words: https://huggingface.co/Qwen/Qwen2-0.5B/blob/main/tokenizer.json */
const QWEN_WORDS =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|" +
  " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const ROBERTA = /^(?:roberta|bart|longformer|led|xlm_roberta_xl)/i;

/** RoBERTa's special tokens around a text; GPT-2 has none. */
const around = (ids: ReadonlyMap<string, number>, config: Fields): Json => {
  const cls = contentOf(config.cls_token) ?? "<s>";
  const sep = contentOf(config.sep_token) ?? "</s>";
  const pairOf = (token: string): Json => [token, ids.get(token) ?? lacks("vocab.json", token)];
  return {
    type: "RobertaProcessing",
    sep: pairOf(sep),
    cls: pairOf(cls),
    trim_offsets: true,
    add_prefix_space: config.add_prefix_space === true,
  };
};

/**
 * vocab.json and merges.txt, which are byte-level BPE (GPT-2, RoBERTa, BART, Qwen 2), as a tokenizer.json.
 * Throws FormatError, naming file and line, where they do not fit together or are of another kind.
 */
export const fromVocabJson = (vocab: Fields, merges: string, options: OlderOptions): Json => {
  const ids = new Map(Object.entries(vocab).map(([token, id]) => [token, checkId(token, id)]));
  const { config, modelType = "" } = options;
  if ([...ids.keys()].some((token) => token.length > 4 && token.endsWith("</w>"))) {
    throw new FormatError("is not of the byte-level kind: its tokens end in </w>", {
      file: "vocab.json",
      hint: SAVE_HINT,
    });
  }
  const family = asText(config.tokenizer_class ?? modelType);
  const roberta = ROBERTA.test(family) || (family === "" && ids.has("<s>") && ids.has("<mask>"));
  const qwen = /^qwen2/i.test(family);
  const usual = roberta ? ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] : ["<|endoftext|>"];
  const given = usual.filter((token) => ids.has(token));
  const bytes = { type: "ByteLevel", add_prefix_space: config.add_prefix_space === true, trim_offsets: true };
  const split = { type: "Split", pattern: { Regex: QWEN_WORDS }, behavior: "Isolated", invert: false };
  return tokenizerJson({
    added: addedEntries(
      ids,
      options,
      given.map((token) => specialEntry(token, ids.get(token)!, token === "<mask>")),
    ),
    normalizer: qwen ? { type: "NFC" } : null,
    pre_tokenizer: qwen
      ? { type: "Sequence", pretokenizers: [split, { ...bytes, use_regex: false }] }
      : { ...bytes, use_regex: true },
    post_processor: roberta ? around(ids, config) : { ...bytes, trim_offsets: false, use_regex: true },
    decoder: { ...bytes, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges: mergesOf(mergeLines(merges, ids, "merges.txt")),
    },
  });
};
