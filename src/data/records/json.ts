/** JSON of unknown origin: its depth is looked at before anything walks it; numbers keep their digits. */
import { DataError, type ErrorDetails } from "../../util/errors.ts";
import { isDeeper, MAX_DEPTH } from "../../util/jsonText.ts";
import { maskPersonal } from "../filter/personal.ts";

export { isDeeper, MAX_DEPTH };

/** Numbers that may have more digits than a double holds, or a larger exponent. */
const LONG_NUMBER = /[\d.]{16}|\d[eE][+-]?\d{3}/;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** The digits of a number that say something. */
const digits = (number: string): string => number.replace(/[eE].*|[-.]/g, "").replace(/^0+|0+$/g, "");

const isExact = (literal: string): boolean => {
  const value = Number(literal);
  if (/^-?\d+$/.test(literal)) return String(value) === literal;
  return Number.isFinite(value) && digits(String(value)) === digits(literal);
};

/** Where the string that begins at `start` ends. */
const stringEnd = (text: string, start: number): number => {
  let at = start + 1;
  for (let c = text.charCodeAt(at); at < text.length && c !== 34; c = text.charCodeAt(at))
    at += c === 92 ? 2 : 1;
  return at + 1;
};

/** `text` with `mark` and quotes around each number that is no double. */
const quoteLong = (text: string, mark: string): string => {
  const pieces: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length; ) {
    const c = text.charCodeAt(at);
    NUMBER.lastIndex = at;
    const literal = c === 45 || (c >= 48 && c <= 57) ? NUMBER.exec(text)?.[0] : undefined;
    if (literal !== undefined && !isExact(literal)) {
      pieces.push(text.slice(from, at), `"${mark}${literal}"`);
      from = at + literal.length;
    }
    at = literal === undefined ? (c === 34 ? stringEnd(text, at) : at + 1) : at + literal.length;
  }
  return pieces.length === 0 ? text : [...pieces, text.slice(from)].join("");
};

const NO_NUMBER = /NaN|-?Infinity/y;

/**
 * `text` with null for NaN, Infinity and -Infinity that stand outside strings: JSON has them not, but
 * Python's json module writes them, as what is missing in a table.
 */
const nullForNone = (text: string): string => {
  const pieces: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length; ) {
    NO_NUMBER.lastIndex = at;
    const literal = NO_NUMBER.exec(text)?.[0];
    if (literal !== undefined) {
      pieces.push(text.slice(from, at), "null");
      from = at + literal.length;
    }
    at = literal === undefined ? (text.charCodeAt(at) === 34 ? stringEnd(text, at) : at + 1) : from;
  }
  return [...pieces, text.slice(from)].join("");
};

/**
 * JSON.parse, but that integers beyond 2^53 become bigints, and other numbers that no double holds the text
 * that they are.
 */
const exactly = (text: string): unknown => {
  const value: unknown = JSON.parse(text);
  if (!LONG_NUMBER.test(text)) return value;
  let mark = "#";
  while (text.includes(`"${mark}`)) mark += "#";
  const quoted = quoteLong(text, mark);
  if (quoted === text) return value;
  return JSON.parse(quoted, (_, each: unknown) => {
    if (typeof each !== "string" || !each.startsWith(mark)) return each;
    const literal = each.slice(mark.length);
    return /^-?\d+$/.test(literal) ? BigInt(literal) : literal;
  });
};

/** The piece of the text that V8 quotes; it may begin or end within a word. */
const QUOTED = /, (?:\.\.\.)?".*"(?:\.\.\.)? is not valid JSON$/s;

/** What is wrong with the text. Of one with personal data nothing is quoted: half an address is not found. */
const faultIn = (text: string, { message }: Error): string =>
  QUOTED.test(message) && maskPersonal(text).found.length > 0 ? message.replace(QUOTED, "") : message;

/** As `exactly`, also of a text with NaN and the like. Throws what JSON.parse says of the text as it is. */
const leniently = (text: string): unknown => {
  try {
    return exactly(text);
  } catch (fault) {
    if (!/NaN|Infinity/.test(text)) throw fault;
    try {
      return exactly(nullForNone(text));
    } catch {
      throw fault;
    }
  }
};

/**
 * The value of a JSON text; an integer beyond 2^53 is a bigint, NaN and infinities are null. Throws
 * DataError for what is torn or nested deeper than `limit`.
 */
export const parseJson = (text: string, place: ErrorDetails, limit: number = MAX_DEPTH): unknown => {
  if (isDeeper(text, limit)) {
    throw new DataError(`is JSON nested deeper than ${limit}`, {
      ...place,
      hint: "--skip-bad-rows counts such records and goes on",
    });
  }
  try {
    return leniently(text);
  } catch (cause) {
    const hint = "a line must be one whole JSON object; --skip-bad-rows counts such lines and goes on";
    throw new DataError(`is not JSON (${faultIn(text, cause as Error)})`, { ...place, hint, cause });
  }
};
