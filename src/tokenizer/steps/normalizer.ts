/** Every kind of `normalizer` of a tokenizer.json, as functions of a text. */
import { bytesToken } from "../bpe/byteLevel.ts";
import { asText, type Fields, refuse, show, stepsOf, string } from "../json.ts";
import type { Json } from "../tokenizer.ts";
import { matchesOf, replacer } from "./matches.ts";
import { precompiled } from "./precompiled.ts";

/** Changes a text before it is cut. */
export type Normalizer = (text: string) => string;

/** By characters: a whole text's lower case would know final sigmas, which the reference does not. */
const lowerCase: Normalizer = (text) => {
  let out = "";
  for (const char of text) out += char.toLowerCase();
  return out;
};

/** Ideographs, not kana and not Hangul. */
const CJK = new RegExp(
  "[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}" +
    "\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]",
  "gu",
);

const isOn = (step: Fields, name: string, otherwise: boolean): boolean => {
  const value = step[name] ?? otherwise;
  return typeof value === "boolean" ? value : refuse(`has ${name} ${show(value)}`);
};

/** BERT's (https://github.com/google-research/bert/blob/master/tokenization.py). */
const bert = (step: Fields): Normalizer => {
  const clean = isOn(step, "clean_text", true);
  const cjk = isOn(step, "handle_chinese_chars", true);
  const lower = isOn(step, "lowercase", true);
  const accents = isOn(step, "strip_accents", lower);
  return (text) => {
    let out = text;
    if (clean) out = out.replace(/(?![\t\n\r])[\0\ufffd\p{Cc}\p{Cf}\p{Co}]/gu, "").replace(SPACE, " ");
    if (cjk) out = out.replace(CJK, " $& ");
    if (accents) out = out.normalize("NFD").replace(/\p{Mn}/gu, "");
    return lower ? lowerCase(out) : out;
  };
};

const SPACE = /\p{White_Space}/gu;

const strip = (step: Fields): Normalizer => {
  const left = isOn(step, "strip_left", true) ? "^\\p{White_Space}+" : "(?!)";
  const right = isOn(step, "strip_right", true) ? "(?<!\\p{White_Space})\\p{White_Space}+$" : "(?!)";
  const pattern = new RegExp(`${left}|${right}`, "gu");
  return (text) => text.replace(pattern, "");
};

const replace = (step: Fields): Normalizer => replacer(matchesOf(step.pattern), string(step, "content"));

const prepend = (step: Fields): Normalizer => {
  const prefix = string(step, "prepend");
  return (text) => (text === "" ? "" : prefix + text);
};

/** What neural translation drops and what it takes for a space. */
const nmt: Normalizer = (text) =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
    .replace(/[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/g, "")
    .replace(/[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g, " ");

const utf8 = new TextEncoder();

const kinds: ReadonlyMap<string, (step: Fields) => Normalizer> = new Map([
  ["NFC", () => (text: string) => text.normalize("NFC")],
  ["NFD", () => (text: string) => text.normalize("NFD")],
  ["NFKC", () => (text: string) => text.normalize("NFKC")],
  ["NFKD", () => (text: string) => text.normalize("NFKD")],
  ["BertNormalizer", bert],
  ["Lowercase", () => lowerCase],
  ["StripAccents", () => (text: string) => text.replace(/\p{M}/gu, "")],
  ["Strip", strip],
  ["Replace", replace],
  ["Prepend", prepend],
  ["Nmt", () => nmt],
  ["Precompiled", (step: Fields) => precompiled(string(step, "precompiled_charsmap", ""))],
  ["ByteLevel", () => (text: string) => bytesToken(utf8.encode(text))],
]);

/** The function of a `normalizer`. Throws FormatError, naming it, for a kind that does not exist. */
export const anyNormalizer = (value: Json | undefined): Normalizer => {
  const steps = stepsOf(value, "normalizers").map((step) => {
    const make = kinds.get(asText(step.type));
    return make === undefined ? refuse(`has a normalizer of type ${show(step.type)}`) : make(step);
  });
  return (text) => steps.reduce((current, step) => step(current), text);
};
