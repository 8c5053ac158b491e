/** What patterns are compiled to. */
import type { Place } from "./ast.ts";
import type { CodeTable } from "./codeSet.ts";

/** Instructions: an operation and its arguments, each a number. */
export const Op = {
  /** A match ends. */
  accept: 0,
  /** code: that character. */
  char: 1,
  /** table: a character of its set. */
  set: 2,
  /** table, least, most, 1 where nothing follows: characters of its set, fewer where the rest asks for it. */
  run: 3,
  /** place */
  place: 4,
  /** table, 1 where the next character must not be of its set. */
  next: 5,
  /** target */
  jump: 6,
  /** first, second, table of what `first` begins with or -1, slot of the memory or -1: two ways to go on. */
  split: 7,
  /** table of what each begins with, those that can be empty, slot or -1, number, targets: many ways. */
  choose: 8,
  /** program, 1 where it must not match */
  ahead: 9,
  /** program, 1 where it must not match, least and most width */
  behind: 10,
  /** program */
  atomic: 11,
} as const;

/** The kinds of places that an instruction can ask for, by number. */
export const PLACES: readonly Place[] = [
  "lineStart",
  "lineEnd",
  "textStart",
  "textEnd",
  "lastLineEnd",
  "word",
  "notWord",
];

/** A compiled pattern. */
export interface Program {
  readonly code: Int32Array;
  readonly tables: readonly CodeTable[];
  /** What a match can begin with; undefined where it can be empty. */
  readonly first?: CodeTable;
  /** Slots of the memory for each place of a text; 0 without a memory. */
  readonly slots: number;
}
