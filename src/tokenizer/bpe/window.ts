/**
 * A text as UTF-8, one window after another, so that a text of any length takes little memory and what is
 * scanned stays in the processor's cache.
 */
import type { Scan } from "./scan.ts";

/** UTF-16 units of a window; longer where the text has no place to cut. */
const WINDOW = 1 << 15;

const letter = /^\p{L}$/u;

const isLetter = (code: number): boolean => {
  if (code < 128) return (code | 32) >= 0x61 && (code | 32) <= 0x7a;
  return letter.test(String.fromCharCode(code));
};

const isSurrogate = (code: number): boolean => (code & 0xf800) === 0xd800;

/** Whether words end at `i` whatever stands around: a letter before, and none at it. */
const cuts = (text: string, i: number): boolean => {
  const after = text.charCodeAt(i);
  return !isSurrogate(after) && !isLetter(after) && isLetter(text.charCodeAt(i - 1));
};

/** End of the window that starts at `from`. */
const windowEnd = (text: string, from: number, size: number): number => {
  const wanted = from + size;
  if (wanted >= text.length) return text.length;
  for (let i = wanted; i > from + size / 2; i--) if (cuts(text, i)) return i;
  for (let i = wanted + 1; i < text.length; i++) if (cuts(text, i)) return i;
  return text.length;
};

/** A function that calls `each` with the windows of a text: the first `size` of `bytes`, from unit `from`. */
export const windows = (windowUnits = WINDOW) => {
  const utf8 = new TextEncoder();
  // A unit takes at most three bytes.
  const room = new Uint8Array(3 * windowUnits);
  return (text: string, each: (bytes: Uint8Array, size: number, from: number) => void): void => {
    for (let from = 0; from < text.length; ) {
      const end = windowEnd(text, from, windowUnits);
      const bytes = end - from <= windowUnits ? room : new Uint8Array(3 * (end - from));
      const part = end - from === text.length ? text : text.slice(from, end);
      each(bytes, utf8.encodeInto(part, bytes).written, from);
      from = end;
    }
  };
};

/** UTF-16 units of the characters in bytes `from` to `to`. */
const unitsOf = (bytes: Uint8Array, from: number, to: number): number => {
  let units = 0;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if ((byte & 0xc0) !== 0x80) units += byte >= 0xf0 ? 2 : 1;
  }
  return units;
};

/** A function that calls `emit` with each word of a text, in order, as `scan` cuts it. */
export const wordsBy = (scan: Scan, windowUnits = WINDOW) => {
  const inWindows = windows(windowUnits);
  return (text: string, emit: (word: string) => void): void =>
    inWindows(text, (bytes, size, start) => {
      let unit = start;
      for (let at = 0; at < size; ) {
        const end = scan(bytes, at, size);
        const after = unit + unitsOf(bytes, at, end);
        emit(text.slice(unit, after));
        at = end;
        unit = after;
      }
    });
};
