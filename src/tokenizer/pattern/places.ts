/** Places in a text where something empty matches. */
import type { Place } from "./ast.ts";
import { PLACES } from "./program.ts";
import { bareTest } from "./properties.ts";

const isHigh = (unit: number): boolean => (unit & 0xfc00) === 0xd800;
const isLow = (unit: number): boolean => (unit & 0xfc00) === 0xdc00;

/** The code point at `at`, which is before the end. */
export const codeAt = (text: string, at: number): number => {
  const unit = text.charCodeAt(at);
  return isHigh(unit) ? text.codePointAt(at)! : unit;
};

/** Place of the character before `at`. */
export const before = (text: string, at: number): number =>
  at > 1 && isLow(text.charCodeAt(at - 1)) && isHigh(text.charCodeAt(at - 2)) ? at - 2 : at - 1;

const isWord = bareTest("word")!;

const wordAt = (text: string, at: number): boolean => at < text.length && isWord(codeAt(text, at));

const atBoundary = (text: string, at: number): boolean =>
  (at > 0 && wordAt(text, before(text, at))) !== wordAt(text, at);

const NEWLINE = 10;

const isAt: Readonly<Record<Place, (text: string, at: number) => boolean>> = {
  lineStart: (text, at) => at === 0 || (text.charCodeAt(at - 1) === NEWLINE && at < text.length),
  lineEnd: (text, at) => at === text.length || text.charCodeAt(at) === NEWLINE,
  textStart: (_, at) => at === 0,
  textEnd: (text, at) => at === text.length,
  lastLineEnd: (text, at) =>
    at === text.length || (at === text.length - 1 && text.charCodeAt(at) === NEWLINE),
  word: atBoundary,
  notWord: (text, at) => !atBoundary(text, at),
};

/** Whether a place is at `at`, by its number. */
export const places = PLACES.map((place) => isAt[place]);
