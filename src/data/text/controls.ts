/**
 * What control characters stand for: escapes that colour a terminal and overstruck letters go, separators of
 * pages, lines and fields become white space, halves of characters and the rest of them go (after the repairs
 * of ftfy, https://ftfy.readthedocs.io/en/latest/fixes.html).
 */

/** Control characters other than tab and line feed, byte order marks and non-characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
export const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u0080-\u009f\ufeff\ufffe\uffff]/g;

/**
 * Control sequences and strings (ECMA-48, sections 5.4 and 5.6); character sets, save, restore, reset. Of the
 * one-character form of a sequence only colours are taken: Windows-1252 has a quotation mark there.
 */
const ESCAPE = new RegExp(
  [
    "(?:\\u001b\\[[0-?]{0,64}[ -/]{0,8}|\\u009b[\\d;:]{1,64}(?=m))([@-~])",
    "\\u001b[\\]P^_X][^\\u0007\\u001b\\u009c]{0,4096}(?:\\u0007|\\u001b\\\\|\\u009c)",
    "\\u001b(?:[()*+./#%-][ -~]|[78=>cM])",
  ].join("|"),
  "g",
);

/** Sequences that move the cursor as white space would, by their last character. */
const MOVES: Readonly<Record<string, string>> = { C: " ", G: " ", E: "\n", H: "\n", f: "\n" };

// biome-ignore lint/suspicious/noControlCharactersInRegex: a backspace is what is looked for.
const OVERSTRUCK = /[^\n\u0008]\u0008/gu;

/** `text` without escape sequences of terminals, and without letters that a backspace strikes out. */
export const removeEscapes = (text: string): string =>
  text.replace(ESCAPE, (_, last?: string) => MOVES[last ?? ""] ?? "").replace(OVERSTRUCK, "");

/** Vertical tab, next line, line separator, paragraph separator. */
const LINES = /[\v\u0085\u2028\u2029]/g;

/** Form feeds and separators of files, groups and records, with the line ends beside them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced.
const PAGES = /([\r\n]?)[\f\u001c-\u001e]+([\r\n]?)/g;

/** `text` with LF for what ends lines and pages, and a space for what separates fields. */
export const separatorsToSpace = (text: string): string =>
  text
    .replace(LINES, "\n")
    .replace(PAGES, (_, before: string, after: string) => before + after || "\n")
    .replaceAll("\u001f", " ");

/** Half of a character, which cannot be written as UTF-8. */
const LONE = /[\ud800-\udfff]/gu;

/** Looked for first: it is found faster. */
const SURROGATE = /[\ud800-\udfff]/;

/** `text` without halves of surrogate pairs. */
export const removeHalves = (text: string): string => (SURROGATE.test(text) ? text.replace(LONE, "") : text);
