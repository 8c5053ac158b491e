/** Where to cut a text so that no word or line is torn, and how to close the gap. */

import type { Document } from "../records/document.ts";
import { unspaced } from "./characters.ts";

/** A document with another text, which the turns that the old one was made of do not make any more. */
export const withText = (doc: Document, text: string): Document => {
  const { turns: _, ...rest } = doc;
  return { ...rest, text };
};

/** From `start` up to but not including `end`, in UTF-16 code units. */
export interface Cut {
  readonly start: number;
  readonly end: number;
}

// Scripts written without spaces have a border at every character.
const JOINED = /[\p{L}\p{N}\p{M}_]/u;

const isHigh = (unit: number): boolean => (unit & 0xfc00) === 0xd800;
const isLow = (unit: number): boolean => (unit & 0xfc00) === 0xdc00;

const splitsPair = (text: string, at: number): boolean =>
  at > 0 && at < text.length && isHigh(text.charCodeAt(at - 1)) && isLow(text.charCodeAt(at));

const characterBefore = (text: string, at: number): string =>
  String.fromCodePoint(text.codePointAt(splitsPair(text, at - 1) ? at - 2 : at - 1)!);

const inWord = (character: string): boolean => JOINED.test(character) && !unspaced.test(character);

/** Whether no word lies across `at`. */
const isWordBorder = (text: string, at: number): boolean => {
  if (at <= 0 || at >= text.length) return true;
  if (splitsPair(text, at)) return false;
  const after = String.fromCodePoint(text.codePointAt(at)!);
  if (/\p{M}/u.test(after)) return false;
  return !(inWord(characterBefore(text, at)) && inWord(after));
};

/** Longest word that is not torn: beyond it are codes and data. */
const REACH = 48;

const wordBorder = (text: string, from: number, step: 1 | -1): number => {
  for (let i = 0; i <= REACH; i++) {
    if (isWordBorder(text, from + i * step)) return from + i * step;
  }
  return splitsPair(text, from) ? from + step : from;
};

const isLineBorder = (text: string, at: number): boolean =>
  at <= 0 || at >= text.length || text[at - 1] === "\n" || text[at] === "\n";

const lineBorder = (text: string, from: number, step: 1 | -1, stop: number): number => {
  let at = from;
  while (at !== stop && !isLineBorder(text, at)) at += step;
  return at;
};

/** The part of a cut between its outermost borders; it may be empty. */
export const trimmed = (text: string, { start, end }: Cut, border: "word" | "line"): Cut => {
  if (border === "line") {
    return { start: lineBorder(text, start, 1, end), end: lineBorder(text, end, -1, start) };
  }
  const from = wordBorder(text, start, 1);
  return { start: from, end: Math.max(from, wordBorder(text, end, -1)) };
};

/** What closes a gap: the widest white space in it or at its edges. */
const gapOf = (edges: string, gone: string): string => {
  const white = `${edges}\u0000${gone}`;
  if (/\n[^\S\n]*\n/.test(white)) return "\n\n";
  if (white.includes("\n")) return "\n";
  return /\s/.test(white) ? " " : "";
};

/**
 * The text without `cuts` (in order, apart), its ends trimmed, each gap closed by white space if it had any.
 */
export const cutText = (text: string, cuts: readonly Cut[]): string => {
  let rest = text.slice(0, cuts[0]?.start ?? text.length);
  for (const [i, { start, end }] of cuts.entries()) {
    const next = text.slice(end, cuts[i + 1]?.start ?? text.length);
    const left = rest.trimEnd();
    const right = next.trimStart();
    const edges = `${rest.slice(left.length)}\u0000${next.slice(0, next.length - right.length)}`;
    // A line's own indentation stays with it.
    const indent = /\n([^\S\n]+)$/.exec(next.slice(0, next.length - right.length))?.[1] ?? "";
    rest = left + (left === "" || right === "" ? "" : gapOf(edges, text.slice(start, end)) + indent) + right;
  }
  return rest.trim();
};
