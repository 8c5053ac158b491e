/**
 * sacrebleu's ways to cut text into tokens
 * (https://github.com/mjpost/sacrebleu/tree/master/sacrebleu/tokenizers).
 */
import { trim, words } from "./words.ts";

/**
 * How BLEU cuts text: `13a` as mteval-v13a of WMT, for languages with spaces; `intl` as mteval-v14, by
 * Unicode's punctuation; `zh` each Chinese character alone; `char` every character alone; `none` at spaces.
 */
export type BleuTokenizer = "13a" | "intl" | "zh" | "char" | "none";

/** The part that 13a and zh share: punctuation of ASCII apart from words, but not within numbers. */
const punctuation = (line: string): string =>
  line
    .replace(/([{-~[-` -&(-+:-@/])/g, " $1 ")
    .replace(/([^0-9])([.,])/g, "$1 $2 ")
    .replace(/([.,])([^0-9])/g, " $1 $2")
    .replace(/([0-9])(-)/g, "$1 $2 ");

const mteval13a = (text: string): string => {
  const line = text.replaceAll("<skipped>", "").replaceAll("-\n", "").replaceAll("\n", " ");
  const plain = line
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">");
  return punctuation(` ${plain} `);
};

const mteval14 = (line: string): string =>
  line
    .replace(/(\P{N})(\p{P})/gu, "$1 $2 ")
    .replace(/(\p{P})(\P{N})/gu, " $1 $2")
    .replace(/(\p{S})/gu, " $1 ");

/**
 * First and last character of each range that counts as Chinese. The reference writes two ranges beyond 16
 * bits in a form that Python reads as others; they stand here as it reads them.
 */
const chinese = [
  [0x3400, 0x4db5],
  [0x4e00, 0x9fa5],
  [0x9fa6, 0x9fbb],
  [0xf900, 0xfa2d],
  [0xfa30, 0xfa6a],
  [0xfa70, 0xfad9],
  [0x2001, 0x2a6d],
  [0x2f81, 0x2fa1],
  [0xff00, 0xffef],
  [0x2e80, 0x2eff],
  [0x3000, 0x303f],
  [0x31c0, 0x31ef],
  [0x2f00, 0x2fdf],
  [0x2ff0, 0x2fff],
  [0x3100, 0x312f],
  [0x31a0, 0x31bf],
  [0xfe10, 0xfe1f],
  [0xfe30, 0xfe4f],
  [0x3200, 0x33ff],
] as const;

const isChinese = (character: string): boolean => {
  const point = character.codePointAt(0)!;
  return chinese.some(([first, last]) => first <= point && point <= last);
};

const apart = (text: string): string =>
  punctuation(Array.from(trim(text), (c) => (isChinese(c) ? ` ${c} ` : c)).join(""));

const spaced: Readonly<Record<BleuTokenizer, (text: string) => string>> = {
  "13a": mteval13a,
  intl: mteval14,
  zh: apart,
  char: (text) => Array.from(text).join(" "),
  none: (text) => text,
};

/** The tokens of a text without white space at its end. */
export const bleuTokens = (text: string, tokenizer: BleuTokenizer): string[] =>
  words(spaced[tokenizer](text));
