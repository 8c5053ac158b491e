/**
 * Finds the encoding of bytes that are not UTF-8, or says that it is not clear. Each encoding that can be is
 * tried; right is one by which the bytes are text of a language that knows all of its letters, and that reads
 * better than by any other. The languages are told by eld
 * (https://github.com/nitotm/efficient-language-detector-js), their alphabets are those of CLDR
 * (https://cldr.unicode.org).
 */
import { charsetDecoder } from "./charset.ts";

/** Of those that read alike, the first is taken. */
const CANDIDATES = (
  "windows-1252 windows-1250 windows-1251 windows-1253 windows-1254 windows-1255 windows-1256 windows-1257 " +
  "windows-874 iso-8859-2 iso-8859-5 iso-8859-6 iso-8859-7 iso-8859-13 iso-8859-15 koi8-u ibm866 macintosh " +
  "shift_jis euc-jp gb18030 big5 euc-kr"
).split(" ");

/** Letters beyond ASCII of the languages, as classes of regular expressions, in lower case. */
const ALPHABETS: Readonly<Record<string, string>> = {
  ar: "\\u0600-\\u06ff",
  az: "çəğıöşü",
  be: "абвгдеёжзійклмнопрстуўфхцчшыьэюя",
  bg: "абвгдежзийклмнопрстуфхцчшщъьюя",
  ca: "àçèéíïòóúüªº",
  cs: "áčďéěíňóřšťúůýž",
  da: "æøåáé",
  de: "äöüßéà",
  el: "\\u0370-\\u03ff",
  es: "áéíñóúüªº",
  et: "äõöüšž",
  eu: "ñçü",
  fa: "\\u0600-\\u06ff",
  fi: "äöåšž",
  fr: "àâæçèéêëîïôùûüÿœ",
  he: "\\u0590-\\u05ff",
  hr: "čćđšž",
  hu: "áéíóöőúüű",
  is: "áðéíóúýþæö",
  it: "àèéìíîòóùúªº",
  ja: "\\u3040-\\u30ff\\u3400-\\u9fff\\uff66-\\uff9f々",
  ko: "\\uac00-\\ud7af\\u3400-\\u9fff",
  lt: "ąčęėįšųūž",
  lv: "āčēģīķļņšūž",
  nl: "áàéèêëíïóöüú",
  no: "æøåéèêóòô",
  pl: "ąćęłńóśźż",
  pt: "àáâãçéêíóôõúüªº",
  ro: "ăâîșțşţ",
  ru: "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
  sk: "áäčďéíĺľňóôŕšťúýž",
  sl: "čšž",
  sq: "çë",
  sr: "абвгдђежзијклљмнњопрстћуфхцчџшčćđšž",
  sv: "åäöéàü",
  th: "\\u0e00-\\u0e7f",
  tr: "çğıi̇öşüâîû",
  uk: "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
  zh: "\\u3400-\\u9fff",
};

const FOREIGN = new Map(
  Object.entries(ALPHABETS).map(([code, letters]) => [code, new RegExp(`(?![${letters}])[^\\0-\\x7f]`, "u")]),
);

const WIDE_LETTER = /(?=[^\0-\x7f])[\p{L}\p{M}]/gu;

/** What no text has: controls, private and unknown characters. */
const NOT_TEXT = /[\u0080-\u0084\u0086-\u009f\ufffd\ue000-\uf8ff]/;

/** Signs that may stand between letters: hyphens, quotes, dashes, the marks of East Asia. */
const JOINING = "\\u00ad\\u2010-\\u2027\\u00ab\\u00bb\\u3000-\\u303f\\uff00-\\uffef";

/**
 * What text has seldom: a sign between letters, lines of boxes, digits of another script, marks without a
 * letter, a capital behind a small letter, letters of two scripts in a word.
 */
const ODD = [
  new RegExp(`(?<=\\p{L})(?=[^\\0-\\x7f])[^\\p{L}\\p{M}\\p{Z}${JOINING}](?=\\p{L})`, "gu"),
  /[\u2500-\u25ff]|(?=[^\0-\x7f])\p{Nd}|(?<![\p{L}\p{M}])\p{M}|(?<![lL])\u00b7|\u00b7(?![lL])/gu,
  /\p{Ll}(?=[^\0-\x7f])\p{Lu}/gu,
  /\p{Script=Latin}(?![\p{Script=Latin}\p{Script=Inherited}])[\p{L}\p{M}]/gu,
  /(?!\p{Script=Latin})\p{L}(?=\p{Script=Latin})/gu,
];

const countOf = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

/** One in so many characters may be odd, or foreign to the language. */
const SELDOM = 30;

interface Reading {
  readonly name: string;
  readonly text: string;
  readonly letters: readonly string[];
}

/** The readings of `bytes` that may be text, each once. */
const readings = (bytes: Uint8Array): Reading[] => {
  const found: Reading[] = [];
  for (const name of CANDIDATES) {
    const text = charsetDecoder(name)(bytes, true);
    if (NOT_TEXT.test(text) || found.some((each) => each.text === text)) continue;
    const letters = text.match(WIDE_LETTER) ?? [];
    const odd = ODD.reduce((sum, pattern) => sum + countOf(text, pattern), 0);
    if (odd * SELDOM <= letters.length) found.push({ name, text, letters });
  }
  return found;
};

type Detect = (text: string) => { getScores(): Readonly<Record<string, number>> };

/** Characters that the languages are told by, in one place. */
const PLACE = 400;

/** Three places of a text around what is not ASCII. */
const places = (text: string): string[] => {
  const found: string[] = [];
  for (let from = 0; found.length < 3; ) {
    const at = text.slice(from).search(/[^\0-\x7f]/);
    if (at < 0) break;
    const start = Math.max(from, from + at - 60);
    found.push(text.slice(start, start + PLACE));
    from = start + PLACE;
  }
  return found;
};

/** Small for a text in capitals alone, and for Thai without its vowels and tones, two in five letters. */
const likelihood = (text: string, letters: readonly string[]): number => {
  const capitals = letters.every((letter) => letter !== letter.toLowerCase());
  const thai = countOf(text, /[\u0e01-\u0e2e]/g);
  const bare = thai > 0 && countOf(text, /[\u0e30-\u0e4e]/g) < thai / 4;
  return capitals || bare ? 0.7 : 1;
};

/** How well a text reads in the language that is likely its, from 0 to 1; 0 where it has others' letters. */
const legibility = ({ text, letters }: Reading, detect: Detect): number => {
  const parts = places(text);
  const sums = new Map<string, number>();
  for (const part of parts) {
    for (const [code, score] of Object.entries(detect(part).getScores()))
      sums.set(code, (sums.get(code) ?? 0) + score / parts.length);
  }
  let best = 0;
  for (const [code, score] of sums) {
    const foreign = FOREIGN.get(code);
    if (foreign === undefined || score <= best) continue;
    const strange = letters.filter((letter) => foreign.test(letter.toLowerCase())).length;
    if (strange * SELDOM <= letters.length) best = score;
  }
  return best * likelihood(text, letters);
};

/** The least score of a text in its own language. */
const LEGIBLE = 0.5;

/** Letters that a language is told by at the least. */
const ENOUGH = 10;

/** How much better than any other reading the right one must be: more, the fewer letters tell. */
const margin = (letters: number): number => 0.02 + 0.6 / Math.max(1, letters);

/** Loads the detector: a function that names the encoding of bytes, undefined where that is not clear. */
export const loadCharsetDetector = async (): Promise<(bytes: Uint8Array) => string | undefined> => {
  const { eld } = await import("eld/small");
  const detect: Detect = (text) => eld.detect(text);
  return (bytes) => {
    const found = readings(bytes);
    // However it is read, it says the same.
    if (found.length === 1) return found[0]!.name;
    const scored = found.map((each) => ({ ...each, score: legibility(each, detect) }));
    const [first, second] = scored.sort((a, b) => b.score - a.score);
    if (first === undefined || first.score < LEGIBLE || countOf(first.text, /\p{L}/gu) < ENOUGH)
      return undefined;
    return first.score - (second?.score ?? 0) >= margin(first.letters.length) ? first.name : undefined;
  };
};
