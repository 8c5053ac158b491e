/**
 * Telephone numbers: shapes that stand by themselves (international by E.123, and those of some countries),
 * and any row of 7 to 15 digits after a word that says what it is ("Tel:", "phone=", "wa.me/"). Dates, times,
 * decimals and years of the same shapes are told from them.
 */

/** Between groups of digits: a space (a no-break or thin one too), a full stop, a hyphen or a dash. */
const SEP = "[ \\u00a0\\u2009\\u202f.\\u2010-\\u2013-]";
const SPACE = "[ \\u00a0\\u2009\\u202f]";
const DASH = "[\\u2010-\\u2013-]";
/** More digits of a switchboard. */
const EXTENSION = `(?:${DASH}\\d{1,4})?`;

const shapes = [
  // International, with any grouping; the prefix may be written out or stand in brackets.
  `(?:\\(\\+[1-9]\\d{0,2}\\)|\\+[1-9]\\d{0,2}|(?<!\\d${SPACE})00[1-9]\\d{0,2}(?=${SEP}))` +
    `(?:${SEP}?\\(\\d{1,4}\\))?(?:${SEP}|/)?\\d{1,4}(?:(?:${SEP}|/)?\\d{2,4}){1,5}`,
  // North America.
  `(?:1${SEP})?\\([2-9]\\d{2}\\)${SPACE}?\\d{3}(?:${DASH}|[. ])\\d{4}`,
  `(?:1${SEP})?[2-9]\\d{2}${DASH}\\d{3}${DASH}\\d{4}`,
  "(?:1[-. ])?[2-9]\\d{2}\\.\\d{3}\\.\\d{4}",
  // France and others by pairs.
  `0[1-9](?:${SPACE}\\d{2}){4}|0[1-9](?:\\.\\d{2}){4}|0[1-9](?:${DASH}\\d{2}){4}`,
  // Britain, Australia, Italy, Ireland and others by area.
  `0\\d{4}${SPACE}\\d{6}|0\\d{4}${SPACE}\\d{3}${SPACE}\\d{3}|0\\d{3}${SPACE}\\d{3}${SPACE}\\d{3,4}`,
  `0\\d{1,2}${SPACE}\\d{3,4}${SPACE}\\d{4}`,
  // Switzerland, Belgium, Sweden, Turkey.
  `0\\d{1,2}${SPACE}\\d{3}${SPACE}\\d{2}${SPACE}\\d{2}`,
  `0[1-9]\\d{2}(?:${SPACE}\\d{2}){3}(?!${SPACE}\\d{2}(?!\\d))`,
  `0\\d{1,3}${DASH}\\d{2,3}${SPACE}\\d{2,3}${SPACE}\\d{2}|0\\d{3}${SPACE}\\d{3}${SPACE}\\d{2}${SPACE}\\d{2}`,
  // Areas in brackets: Germany, Japan, Australia, Brazil.
  `\\(0\\d{1,4}\\)${SPACE}?\\d{3,4}(?:${SPACE}|${DASH})?\\d{3,5}${EXTENSION}`,
  `\\(\\d{2}\\)${SPACE}?9?\\d{4}${DASH}\\d{4}`,
  // Germany, the Netherlands, China.
  `0[1-9]\\d{1,3}(?:${SPACE}?[/-]${SPACE}?|${SPACE})\\d{6,8}${EXTENSION}|0[1-9]${DASH}\\d{8}`,
  // Japan, Korea; Russia; mobiles of China.
  `0\\d{1,2}${DASH}\\d{3,4}${DASH}\\d{4}|0\\d{3}${DASH}\\d{2,3}${DASH}\\d{3,4}`,
  `8${SEP}?\\(?\\d{3}\\)?${SEP}?\\d{3}${DASH}\\d{2}${DASH}\\d{2}`,
  `1[3-9]\\d${DASH}\\d{4}${DASH}\\d{4}|1[3-9]\\d${SPACE}\\d{4}${SPACE}\\d{4}`,
];

/** What a telephone number may be called, in some languages. */
const NAMES =
  "t[ée]l(?:[ée](?:ph|f)[oó]n[eo]?)?|phones?|mobile?|m[óo]vil|cell(?:ular|phone)?|celular|handy|" +
  "gsm|t?fax|telefax|whats ?app|viber|sms|hotline|callto|wa\\.me|телефон|тел";
/** Those that need no white space before them. */
const OTHERS = "电话|電話|手机|전화|โทร";
const OWNERS = "(?:(?:home|work|office|contact|business|user|customer|cell|mobile)[_ -]?)?";
/** Marks of prose, Markdown, HTML, JSON and URLs. */
const MARKS = "[\\s:=./*_\"'`“>|#：\\[-]";

const NUMBER = "(?:numbers?|num|no|nr|nummer)";

/** The word before a number, and what may stand between. */
const LABEL =
  `(?:(?<![\\p{L}\\p{N}])${OWNERS}(?:${NAMES})[._ -]{0,2}${NUMBER}?(?: is| \\d(?=:))?|${OTHERS})` +
  `${MARKS}{0,4}(?:</[a-z][a-z0-9]{0,8}>)?${MARKS}{0,6}`;

/** Words that ask for a call, before numbers of nine digits and more. */
const ASKED =
  "(?<![\\p{L}\\p{N}])(?:call|dial|text|ring|reach)(?: (?:me|us|him|her|them|now))?(?: (?:at|on))?:? ";

const digitsBy = (separators: string, least: number): string =>
  `\\+?\\(?\\d(?:${separators}{0,2}\\d){${least - 1},14}(?!\\d)`;

/** Shapes of a number by itself. */
export const phoneShapes: string = shapes.join("|");

/** A number after what says that it is one. */
export const labelledPhone = new RegExp(
  `(?=[+(\\d])(?<!\\d)(?:(?<=${LABEL})${digitsBy(`(?:${SEP}|[()/])`, 7)}|` +
    `(?<=${ASKED})${digitsBy(`(?:${SEP}|[()])`, 9)})`,
  "giu",
);

/** A text without any of these has no such number. */
export const phoneLabel = new RegExp(`(?:${NAMES}|${OTHERS}|call|dial|text|ring|reach)[^]{1,24}\\d{2}`, "iu");

const YEAR = "(?:1[5-9]|2[01])\\d{2}";
const MONTH = "(?:0?[1-9]|1[0-2])";
const DAY = "(?:0?[1-9]|[12]\\d|3[01])";
/** A date, with another or an hour after it; or years alone. */
const DATE = new RegExp(
  `^(?:(?:${DAY}(?<a>\\D)${MONTH}\\k<a>${YEAR}|${MONTH}(?<b>\\D)${DAY}\\k<b>${YEAR}|` +
    `${YEAR}(?<c>\\D)${MONTH}\\k<c>${DAY})(?:\\D{1,3}\\d{1,4}){0,5}|` +
    `(?:\\d{1,2}\\D)?${YEAR}(?:\\D{1,3}${YEAR})+)$`,
);

/** A decimal number with its sign; seven places and more are how registries of names write a telephone. */
const DECIMAL = /^\+\d{1,3}\.(?:\d{1,6}$|\d+[-+]\d)/;
/** Parts of a version: single digits beyond the first. */
const VERSION = /^\d+(?:\.\d+)*\.\d(?:\.\d+)*$/;

/** Length of a telephone number: 7 to 15 digits (ITU-T E.164), not all alike, no date; 0 of others. */
export const phoneLength = (text: string): number => {
  const digits = text.replace(/\D/g, "");
  const least = text.startsWith("00") ? 10 : text.includes("+") ? 8 : 7;
  if (digits.length < least || digits.length > 15 || /^(\d)\1*$/.test(digits)) return 0;
  const national = text.replace(/^\+\d{1,3}[ -]/, "");
  return [DATE, DECIMAL, VERSION].some((other) => other.test(text)) || DATE.test(national) ? 0 : text.length;
};
