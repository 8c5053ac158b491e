/**
 * How byte-level BPE cuts a text into words, by the names that GGUF files say instead of the patterns
 * themselves (`tokenizer.ggml.pre`). Patterns are llama.cpp's
 * (https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp), in the form in which the
 * tokenizers that they stand for have them.
 */
import type { Json } from "../tokenizer.ts";

/** One way to cut words, with its names. */
export interface GgufSplit {
  /** Names in GGUF files; the first is the one that is written. */
  readonly names: readonly string[];
  /** The steps of a `pre_tokenizer`. */
  readonly steps: readonly Json[];
  /** Words that are tokens are not merged. */
  readonly ignoreMerges?: boolean;
  /** Texts begin with BOS unless the file says otherwise. */
  readonly addBos?: boolean;
}

const split = (Regex: string): Json => ({
  type: "Split",
  pattern: { Regex },
  behavior: "Isolated",
  invert: false,
});

const bytes = (use_regex: boolean): Json => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex,
});

const digit: Json = { type: "Digits", individual_digits: true };

/** Shared by Llama 3 and Qwen, which differ in how many digits they keep together. */
const cl100k = (digits: string): string =>
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" +
  `${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const words = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
const threes = split("[0-9][0-9][0-9]");

const upper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const lower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
/** Words by their case, as o200k and Tekken cut them. */
const cased = (digits: string, ending: string): string =>
  `[^\\r\\n\\p{L}\\p{N}]?${upper}*${lower}+${ending}|[^\\r\\n\\p{L}\\p{N}]?${upper}+${lower}*${ending}|` +
  `${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const phrases = split(" ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+");

/** The ways that are known, from the most usual. */
export const ggufSplits: readonly GgufSplit[] = [
  {
    names: ["gpt-2", "phi-2", "mpt", "olmo", "jais", "gigachat", "a.x-4.0", "mellum", "modern-bert"],
    steps: [bytes(true)],
  },
  {
    names: ["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"],
    steps: [digit, bytes(true)],
  },
  {
    names: ["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
    steps: [split(cl100k("\\p{N}{1,3}")), bytes(false)],
    ignoreMerges: true,
    addBos: true,
  },
  {
    names: ["qwen2", "deepseek-r1-qwen", "kormo", "stablelm2", "megrez"],
    steps: [split(cl100k("\\p{N}")), bytes(false)],
  },
  {
    names: ["dbrx", "smaug-bpe", "chatglm-bpe", "glm4"],
    steps: [split(cl100k("\\p{N}{1,3}")), bytes(false)],
  },
  {
    names: ["tekken"],
    steps: [split(cased("\\p{N}", "")), bytes(false)],
    ignoreMerges: true,
    addBos: true,
  },
  {
    names: ["gpt-4o", "llama4", "kanana2"],
    steps: [split(cased("\\p{N}{1,3}", "(?i:'s|'t|'re|'ve|'m|'ll|'d)?")), bytes(false)],
  },
  {
    names: ["falcon"],
    steps: [split("[\\p{P}\\$\\+<=>\\^~\\|`]+"), split(words), threes, bytes(false)],
  },
  {
    names: ["deepseek-coder"],
    steps: [
      split("[\\r\\n]"),
      split("\\s?\\p{L}+"),
      split("\\s?\\p{P}+"),
      split("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"),
      digit,
      bytes(false),
    ],
  },
  { names: ["bloom", "poro-chat", "gpt3-finnish"], steps: [phrases, bytes(false)] },
  { names: ["viking"], steps: [phrases, digit, bytes(false)] },
  {
    names: ["default"],
    steps: [split("[\\p{P}\\$\\+<=>\\^~\\|]+"), split(words), split("\\p{N}+"), threes, bytes(false)],
  },
];

/** The way of a name; undefined for one that is not known. */
export const ggufSplit = (name: string): GgufSplit | undefined =>
  ggufSplits.find(({ names }) => names.includes(name));
