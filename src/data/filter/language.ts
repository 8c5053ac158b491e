/**
 * Language of a text by n-grams of bytes, with the detector eld
 * (https://github.com/nitotm/efficient-language- detector-js) and its small table. Short texts and source
 * code are not judged: on these every detector guesses.
 */
import { ConfigError } from "../../util/errors.ts";
import { characterClass, DIGIT, LETTER, SPACE } from "../text/characters.ts";

/** The language found of a text. */
export interface Language {
  /** ISO 639-1, or "unknown". */
  readonly code: string;
  /** The detector's score from 0 to 1: some 0.75 of plain text, under 0.5 of noise; 0 of the unknown. */
  readonly confidence: number;
}

/** Which languages stay. */
export interface LanguageOptions {
  /** Languages to keep, as ISO 639-1 codes. */
  readonly keep: readonly string[];
  /** Texts below this score count as unknown; default 0.5. */
  readonly minConfidence?: number;
  /** What happens to the unknown: short texts, code, noise. Default true: they stay. */
  readonly keepUnknown?: boolean;
}

/** Tells the language of a text. */
export type LanguageDetector = (text: string) => Language;

/** Languages that can be told apart. */
export const languages: readonly string[] = (
  "am ar az be bg bn ca cs da de el en es et eu fa fi fr gu he hi hr hu hy is it ja ka kn ko ku lo " +
  "lt lv ml mr " +
  "ms nl no or pa pl pt ro ru sk sl sq sr sv ta te th tl tr uk ur vi yo zh"
).split(" ");

const UNKNOWN: Language = { code: "unknown", confidence: 0 };

/** Fewer letters say too little. */
const MIN_LETTERS = 20;
/** Characters looked at in one place: the detector reads no further. */
const WINDOW = 400;
/** Longer texts are looked at in three places. */
const LONG = 4 * WINDOW;

const CODE_MARKS = '{}()[];=<>_/\\|&*$+`"';
const CODE_END = /[;{}>]\s*$|=>|\w\(.*\)[:{;]?\s*$/;
const CODE_START = /^\s*(?:[#@/*]|import\b|from\b.*\bimport\b|def\b|const\b|return\b|function\b|<\/?\w)/;

const isCodeLine = (line: string): boolean => CODE_END.test(line) || CODE_START.test(line);

/**
 * Whether text looks like a program or markup: by its marks for each letter, and by the lines that end in
 * them.
 */
export const looksLikeCode = (text: string): boolean => {
  let [letters, marks] = [0, 0];
  for (let i = 0; i < text.length; i++) {
    const bits = characterClass(text, i);
    if ((bits & LETTER) !== 0) letters++;
    else if ((bits & (SPACE | DIGIT)) === 0 && CODE_MARKS.includes(text[i]!)) marks++;
  }
  if (marks > letters / 4) return true;
  if (marks < letters / 25) return false;
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.filter((line) => isCodeLine(line.slice(0, WINDOW))).length > lines.length / 3;
};

const letterCount = (text: string): number => {
  let letters = 0;
  for (let i = 0; i < text.length; i++) if ((characterClass(text, i) & LETTER) !== 0) letters++;
  return letters;
};

/** The start of a long text and two places in it, each from the start of a word; the whole of a short one. */
const windows = (text: string): string[] => {
  if (text.length <= LONG) return [text.slice(0, WINDOW)];
  return [0, 1, 2].map((third) => {
    const from = Math.floor((third * (text.length - WINDOW)) / 2);
    const part = text.slice(from, from + WINDOW);
    return third === 0 ? part : part.replace(/^\S{1,40}\s+/, "");
  });
};

/** Marks and digits in CJK text are few, and a letter says more: these need not be as long. */
const enough = (text: string): boolean =>
  letterCount(text) >=
  (/[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/.test(text) ? MIN_LETTERS / 2 : MIN_LETTERS);

/** Loads the detector (1.6 MB, once). Scores of the places of a long text are averaged. */
export const loadLanguageDetector = async (): Promise<LanguageDetector> => {
  const { eld } = await import("eld/small");
  return (text) => {
    const parts = windows(text).filter((part) => enough(part) && !looksLikeCode(part));
    const sums = new Map<string, number>();
    for (const part of parts) {
      for (const [code, score] of Object.entries(eld.detect(part).getScores())) {
        sums.set(code, (sums.get(code) ?? 0) + score / parts.length);
      }
    }
    let best = UNKNOWN;
    for (const [code, confidence] of sums) if (confidence > best.confidence) best = { code, confidence };
    return best;
  };
};

/** The code that another way to name a language means ("EN", "en-GB", "eng", "German"), then all codes. */
const languageHint = (given: string): string => {
  const names = new Intl.DisplayNames(["en"], { type: "language" });
  const wanted = given.trim().toLowerCase();
  let code: string | undefined = languages.find((each) => names.of(each)?.toLowerCase() === wanted);
  try {
    code ??= new Intl.Locale(given.trim()).language;
  } catch {
    // Not a code of any language.
  }
  const guess = code !== undefined && languages.includes(code) ? `did you mean "${code}"? ` : "";
  return `${guess}known: ${languages.join(" ")}`;
};

/** Checks the options; throws a ConfigError for an unknown language or a confidence outside of 0 to 1. */
export const checkLanguage = ({ keep, minConfidence = 0.5 }: LanguageOptions): void => {
  if (!Array.isArray(keep) || keep.length === 0) {
    throw new ConfigError("no languages to keep", { field: "filter.language.keep", hint: 'such as ["en"]' });
  }
  for (const code of keep) {
    if (languages.includes(code)) continue;
    throw new ConfigError(`no language "${code}" can be told apart`, {
      field: "filter.language.keep",
      hint: languageHint(code),
    });
  }
  if (!(minConfidence >= 0 && minConfidence <= 1)) {
    throw new ConfigError("out of range", { field: "filter.language.minConfidence", hint: "0 to 1" });
  }
};

/** Whether a text of `language` stays. */
export const keepsLanguage = (language: Language, options: LanguageOptions): boolean => {
  const { keep, minConfidence = 0.5, keepUnknown = true } = options;
  if (language.confidence < minConfidence || language.code === "unknown") return keepUnknown;
  return keep.includes(language.code);
};
