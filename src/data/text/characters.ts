/**
 * Classes of UTF-16 code units, for scanners that look at every character: a table lookup costs a tenth of a
 * regular expression. Units of surrogate pairs are looked up by code point and remembered.
 */

/** Bits of a character's class. */
export const SPACE = 1;
/** Letters, and the marks that stand on them. */
export const ALPHA = 2;
/** The bit of lower-case letters. */
export const LOWER = 4;
/** The bit of upper-case letters. */
export const UPPER = 8;
/** The bit of digits. */
export const DIGIT = 16;
/** Split from a word at its two ends. */
export const PUNCT = 32;
/** A token of its own wherever it stands: pictures and other symbols. */
export const ICON = 64;
/** Has no letter or digit: a word of these alone is a symbol, not a word. */
export const SYMBOL = 128;
/** Ends a sentence. */
export const TERMINAL = 256;
/** A letter in the sense of Unicode (category L). */
export const LETTER = 512;
/** Ends a line, as Python's splitlines sees it. */
export const LINE = 1024;
/** A letter or mark of a script that puts no space between words. */
export const UNSPACED = 2048;

const SCRIPTS =
  "Han Hiragana Katakana Bopomofo Yi Thai Lao Khmer Myanmar Tai_Tham Tai_Le New_Tai_Lue Tai_Viet Javanese " +
  "Balinese";

/** Characters of scripts that put no space between words. */
export const unspaced = new RegExp(`[${SCRIPTS.replace(/\S+/g, "\\p{Script=$&}").replaceAll(" ", "")}]`, "u");

/** Sentence_Terminal of Unicode 15, spelt out so that every runtime has the same one. */
export const terminals: readonly string[] = Array.from(
  "!.?\u0589\u061d\u061e\u061f\u06d4\u0700\u0701\u0702\u07f9\u0837\u0839\u083d\u083e\u0964\u0965" +
    "\u104a\u104b" +
    "\u1362\u1367\u1368\u166e\u1735\u1736\u17d4\u17d5\u17d6\u17d9\u17da\u1803\u1809\u1944\u1945\u1aa8\u1aa9" +
    "\u1aaa\u1aab\u1b5a\u1b5b\u1b5e\u1b5f\u1b7d\u1b7e\u1c3b\u1c3c\u1c7e\u1c7f\u203c\u203d\u2047\u2048\u2049" +
    "\u2e2e\u2e3c\u2e53\u2e54\u3002\ua4ff\ua60e\ua60f\ua6f3\ua6f7\ua876\ua877\ua8ce\ua8cf\ua92f\ua9c8\ua9c9" +
    "\uaa5d\uaa5e\uaa5f\uaaf0\uaaf1\uabeb\ufe52\ufe56\ufe57\uff01\uff0e\uff1f\uff61\u{10a56}\u{10a57}" +
    "\u{10f55}\u{10f56}\u{10f57}\u{10f58}\u{10f59}\u{10f86}\u{10f87}\u{10f88}\u{10f89}\u{11047}\u{11048}" +
    "\u{110be}\u{110bf}\u{110c0}\u{110c1}\u{11141}\u{11142}\u{11143}\u{111c5}\u{111c6}\u{111cd}\u{111de}" +
    "\u{111df}\u{11238}\u{11239}\u{1123b}\u{1123c}\u{112a9}\u{1144b}\u{1144c}\u{115c2}\u{115c3}\u{115c9}" +
    "\u{115ca}\u{115cb}\u{115cc}\u{115cd}\u{115ce}\u{115cf}\u{115d0}\u{115d1}\u{115d2}\u{115d3}\u{115d4}" +
    "\u{115d5}\u{115d6}\u{115d7}\u{11641}\u{11642}\u{1173c}\u{1173d}\u{1173e}\u{11944}\u{11946}\u{11a42}" +
    "\u{11a43}\u{11a9b}\u{11a9c}\u{11c41}\u{11c42}\u{11ef7}\u{11ef8}\u{11f43}\u{11f44}\u{16a6e}\u{16a6f}" +
    "\u{16af5}\u{16b37}\u{16b38}\u{16b44}\u{16e98}\u{1bc9f}\u{1da88}",
);

/** What datatrove counts as punctuation besides the terminals and the control characters. */
const SYMBOLS =
  "\"#$%&'()*+,-/:;<=>@[\\]^_`{|}~\u00ab\u00b4\u00bb\u2013\u2014\u2019\u201c\u201d\u201e\u2026\u2236\u2501" +
  "\u25ba\u3001\u3008\u3009\u300a\u300b\u300c\u300d\u3010\u3011\uff05\uff08\uff09\uff0c\uff11\uff1a" +
  "\uff1b\uff5e";

/** spaCy's punctuation, quotes and currencies. */
const SPLIT =
  "\u2026,:;!?\u00bf\u061f\u00a1()[]{}<>_#*&\u3002\uff1f\uff01\uff0c\u3001\uff1b\uff1a\uff5e\u00b7" +
  "\u0964\u060c" +
  "\u06d4\u061b\u066a'\"\u201d\u201c`\u2018\u00b4\u2019\u201a\u201e\u00bb\u00ab\u300c\u300d\u300e" +
  "\u300f\uff08" +
  "\uff09\u3014\u3015\u3010\u3011\u300a\u300b\u3008\u3009\u27e6\u27e7\u2013\u2014";

const SPACES = "\t\n\v\f\r\u001c\u001d\u001e\u001f \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000";
const LINES = "\n\r\v\f\u001c\u001d\u001e\u0085\u2028\u2029";

const NAMED: readonly (readonly [RegExp, number])[] = [
  [/^\p{L}$/u, ALPHA | LETTER],
  [/^\p{M}$/u, ALPHA],
  [/^\p{Ll}$/u, LOWER],
  [/^\p{Lu}$/u, UPPER],
  [/^\p{Nd}$/u, DIGIT],
  [/^\p{So}$/u, ICON],
  [/^\p{Sc}$/u, PUNCT],
];

const isSpace = (point: number, character: string): boolean =>
  SPACES.includes(character) || (point >= 0x2000 && point <= 0x200a);

const isControl = (point: number): boolean =>
  point < 9 || (point > 10 && point < 32) || (point > 126 && point < 160);

const classOf = (point: number): number => {
  const character = String.fromCodePoint(point);
  if (point >= 0xd800 && point < 0xe000) return 0;
  let bits = isSpace(point, character) ? SPACE : 0;
  for (const [pattern, bit] of NAMED) if (pattern.test(character)) bits |= bit;
  if (terminals.includes(character)) bits |= TERMINAL | SYMBOL;
  if (SYMBOLS.includes(character) || isControl(point)) bits |= SYMBOL;
  if (SPLIT.includes(character)) bits |= PUNCT;
  if (LINES.includes(character)) bits |= LINE;
  if (unspaced.test(character)) bits |= UNSPACED;
  return bits;
};

// Filled as characters are met: bit 15 says that an entry is known.
const KNOWN = 0x8000;
const units = new Uint16Array(65536);
const astral = new Map<number, number>();

const learn = (point: number): number => {
  const bits = classOf(point);
  units[point] = bits | KNOWN;
  return bits;
};

const astralClass = (point: number): number => {
  const known = astral.get(point);
  if (known !== undefined) return known;
  const bits = classOf(point);
  astral.set(point, bits);
  return bits;
};

/** `characterClass` for the hot loops: small enough to be inlined. */
export const quickClass = (text: string, at: number): number => {
  const known = units[text.charCodeAt(at)]!;
  return known >= KNOWN ? known & (KNOWN - 1) : characterClass(text, at);
};

/** Class of the character that has its code unit at `at`; both halves of a pair have the pair's class. */
export const characterClass = (text: string, at: number): number => {
  const unit = text.charCodeAt(at);
  const known = units[unit]!;
  if ((known & KNOWN) !== 0) return known & (KNOWN - 1);
  if (unit >= 0xd800 && unit < 0xe000) {
    const point = text.codePointAt(unit < 0xdc00 ? at : at - 1);
    return point !== undefined && point > 0xffff ? astralClass(point) : 0;
  }
  return learn(unit);
};

/** Whether the code unit is the second half of a pair: characters are counted without these. */
export const isTrailing = (unit: number): boolean => (unit & 0xfc00) === 0xdc00;

const PAIR = /[\ud800-\udbff][\udc00-\udfff]/;

/** Characters (code points) of a text: a pair of surrogates is one. */
export const characterCount = (text: string): number => {
  if (!PAIR.test(text)) return text.length;
  let count = text.length;
  for (let i = 1; i < text.length; i++) {
    if (isTrailing(text.charCodeAt(i)) && (text.charCodeAt(i - 1) & 0xfc00) === 0xd800) count--;
  }
  return count;
};
