/**
 * Cuts a stream of JSON into the elements of its array, or into its values where they stand side by side.
 * Only brackets and strings are looked at, so that a file of any size is read in the memory of one element.
 */
import { DataError } from "../../../util/errors.ts";
import type { Line } from "../bytes/lines.ts";

const [QUOTE, BACKSLASH, COMMA, OPEN_LIST, CLOSE_LIST, OPEN, CLOSE] = [34, 92, 44, 91, 93, 123, 125];

const isSpace = (byte: number): boolean => byte === 32 || byte === 10 || byte === 13 || byte === 9;

/** Where a byte stands: between elements, at the first of one, in one, behind one, or at the last of one. */
type Position = "between" | "first" | "inside" | "behind" | "last";

/** Tells where each byte stands. */
const follower = () => {
  let depth = 0;
  /** 1 in an array at the top, whose elements are wanted; else 0. */
  let base = 0;
  let [within, quoted, escaped] = [false, false, false];
  const ended = (position: Position): Position => {
    within = false;
    return position;
  };
  const inString = (byte: number): void => {
    if (escaped) escaped = false;
    else if (byte === BACKSLASH) escaped = true;
    else if (byte === QUOTE) quoted = false;
  };
  /** A byte that begins an element, or not. */
  const before = (byte: number): boolean => {
    if (isSpace(byte) || byte === COMMA) return false;
    if (byte === OPEN_LIST && base === 0) depth = base = 1;
    else if (byte === CLOSE_LIST && base === 1) depth = base = 0;
    else return true;
    return false;
  };
  const structural = (byte: number): Position => {
    if (byte === QUOTE) quoted = true;
    else if (byte === OPEN_LIST || byte === OPEN) depth++;
    else if (byte === CLOSE_LIST || byte === CLOSE) {
      depth--;
      if (depth === base) return ended("last");
      if (depth > base) return "inside";
      // The array closes right behind a number or a word.
      depth = base = 0;
      return ended("behind");
    } else if (depth === base && (byte === COMMA || isSpace(byte))) return ended("behind");
    return "inside";
  };
  return {
    next(byte: number): Position {
      if (quoted) {
        inString(byte);
        return "inside";
      }
      if (within) return structural(byte);
      if (!before(byte)) return "between";
      within = true;
      structural(byte);
      return "first";
    },
    isOpen: (): boolean => base > 0,
  };
};

/**
 * `push` gives the elements that end in a piece, with the line and offset where they begin; `end` what is
 * left. Throws DataError for an element above `maxBytes` before it is held.
 */
export const elementCutter = (path: string, maxBytes: number) => {
  const { next, isOpen } = follower();
  let held: Buffer[] | undefined;
  let heldBytes = 0;
  let place = { line: 1, offset: 0 };
  let [line, offset] = [1, 0];
  const finish = (end: Buffer): Line => {
    const bytes = Buffer.concat([...(held ?? []), end]);
    held = undefined;
    heldBytes = 0;
    return { bytes, number: place.line, offset: place.offset };
  };
  const hold = (part: Buffer): void => {
    heldBytes += part.length;
    held?.push(part);
    if (heldBytes <= maxBytes) return;
    const hint = "each element of the array is a record; cut the file into lines";
    throw new DataError(`a record is longer than ${maxBytes} bytes`, { file: path, ...place, hint });
  };
  return {
    *push(chunk: Buffer): Generator<Line> {
      let from = 0;
      for (let i = 0; i < chunk.length; i++) {
        const byte = chunk[i]!;
        const position = next(byte);
        if (position === "first") {
          place = { line, offset: offset + i };
          held = [];
          from = i;
        } else if (position === "behind") yield finish(chunk.subarray(from, i));
        else if (position === "last") yield finish(chunk.subarray(from, i + 1));
        if (byte === 10) line++;
      }
      if (held !== undefined) hold(chunk.subarray(from));
      offset += chunk.length;
    },
    /** What stands behind the last whole element, and whether the array was left open. */
    end: () => ({ rest: held === undefined ? undefined : finish(Buffer.alloc(0)), open: isOpen(), line }),
  };
};
