/** Lines that grow at the end of a file, such as a run's metrics. */
import { appendFileSync, closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync } from "node:fs";
import { dirname } from "node:path";
import { guardedNow } from "./files.ts";

const NEWLINE = 10;
/** Bytes that are read at a time. */
const PIECE = 2 ** 16;

/** Where the last whole line of a file of `size` bytes ends. */
const wholeLines = (fd: number, size: number): number => {
  const piece = Buffer.alloc(PIECE);
  // The last byte alone first: nearly always it ends a line.
  for (let [start, end] = [Math.max(0, size - 1), size]; end > 0; ) {
    const read = readSync(fd, piece, 0, end - start, start);
    const at = piece.subarray(0, read).lastIndexOf(NEWLINE);
    if (at >= 0) return start + at + 1;
    end = start;
    start = Math.max(0, end - PIECE);
  }
  return 0;
};

/**
 * Appends one line, at once: a run that is killed loses none that it reported. A last line that a crash tore
 * is dropped first. Throws RunError.
 */
export const appendLine = (path: string, line: string): void =>
  guardedNow("appending", path, () => {
    mkdirSync(dirname(path), { recursive: true });
    const fd = openSync(path, "a+");
    try {
      const { size } = fstatSync(fd);
      const whole = wholeLines(fd, size);
      if (whole < size) ftruncateSync(fd, whole);
      appendFileSync(fd, `${line}\n`);
    } finally {
      closeSync(fd);
    }
  });
