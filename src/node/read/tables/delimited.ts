/**
 * Cuts the lines of a table into rows of cells (RFC 4180, https://www.rfc-editor.org/rfc/rfc4180). A cell
 * that begins with a quote goes on to the quote that closes it, over delimiters and line ends; a quote
 * elsewhere is text, as for Excel, Python and DuckDB. Each line may end in CRLF or LF as it likes.
 *
 * Tables cut at tabs come of two kinds: of programs that quote as in CSV, and of those that know no quotes
 * (the IANA media type has none). There a quote opens a cell only where one closes it again; else it is text.
 */
import { DataError } from "../../../util/errors.ts";
import type { Line } from "../bytes/lines.ts";

const [LF, CR, QUOTE, SPACE, TAB] = [10, 13, 34, 32, 9];

/** One row of a table. */
export interface Row {
  readonly cells: readonly Buffer[];
  /** Line and byte offset where it begins. */
  readonly number: number;
  readonly offset: number;
}

/** What is no row, with the number of lines that are lost by it. */
export interface BadRow {
  readonly error: DataError;
  readonly lines: number;
}

/** What parts cells, and how long a row may be. */
export interface CutterOptions {
  /** The byte between cells. */
  readonly delimiter: number;
  /** Largest row, bytes. */
  readonly maxBytes: number;
}

/** A row that is not whole yet. */
interface Reading {
  first: Line | undefined;
  readonly cells: Buffer[];
  /** The quoted cell whose end is not found: where its quote stands, the cells before it, what it holds. */
  open: { readonly at: number; readonly before: number; readonly pieces: Buffer[] } | undefined;
  /** Lines from that of the open quote on. */
  held: Line[];
  heldBytes: number;
  /** Where a quote was found to be text; -1. */
  literal: number;
}

/** What a row is cut by; `width` is that of the first row. */
interface Cutting extends CutterOptions {
  width: number;
}

const begin = (): Reading => ({
  first: undefined,
  cells: [],
  open: undefined,
  held: [],
  heldBytes: 0,
  literal: -1,
});

/** Length of a line without its line end. */
const contentEnd = (bytes: Buffer): number => {
  let end = bytes.length;
  if (bytes[end - 1] === LF) end--;
  return bytes[end - 1] === CR ? end - 1 : end;
};

const isBlank = (bytes: Buffer, end: number): boolean => {
  for (let i = 0; i < end; i++) if (bytes[i] !== SPACE) return false;
  return true;
};

const count = (bytes: Buffer, byte: number): number => {
  let found = 0;
  for (let at = bytes.indexOf(byte); at >= 0; at = bytes.indexOf(byte, at + 1)) found++;
  return found;
};

/** Takes what stands before the closing quote into `pieces`; returns where that ends, or -1. */
const closed = (bytes: Buffer, from: number, pieces: Buffer[]): number => {
  let start = from;
  for (let at = bytes.indexOf(QUOTE, from); at >= 0; at = bytes.indexOf(QUOTE, at + 2)) {
    if (bytes[at + 1] !== QUOTE) {
      pieces.push(bytes.subarray(start, at));
      return at + 1;
    }
    // Of two quotes one is text.
    pieces.push(bytes.subarray(start, at + 1));
    start = at + 2;
  }
  pieces.push(bytes.subarray(start));
  return -1;
};

const quoteOpens = (row: Reading, line: Line, at: number): void => {
  row.open = { at, before: row.cells.length, pieces: [] };
  row.held = [line];
  row.heldBytes = line.bytes.length;
};

/** Whether the lines that a quote joins are rows of the right width each. */
const areRows = ({ held }: Reading, { delimiter, width }: Cutting): boolean =>
  held.length > 1 && width > 1 && held.every(({ bytes }) => count(bytes, delimiter) === width - 1);

/** Ends the quoted cell that is open; returns where it ends, -1 where it goes on, or what is wrong. */
const quotedCell = (row: Reading, line: Line, from: number, by: Cutting): number | string => {
  const { bytes } = line;
  const { pieces } = row.open!;
  const at = closed(bytes, from, pieces);
  if (at < 0) return row.heldBytes > by.maxBytes ? `is not closed within ${by.maxBytes} bytes` : -1;
  if (at < contentEnd(bytes) && bytes[at] !== by.delimiter) return "is closed before the cell ends";
  if (by.delimiter === TAB && areRows(row, by)) return "joins rows";
  row.cells.push(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
  return at;
};

/** Reads a line into a row: whether that is whole now, or what is wrong with the quote that is open. */
const readLine = (row: Reading, line: Line, from: number, by: Cutting): boolean | string => {
  const { bytes } = line;
  const end = contentEnd(bytes);
  if (row.open === undefined && row.cells.length === 0) {
    if (isBlank(bytes, end)) return false;
    row.first = line;
  }
  for (let at = from; ; at++) {
    if (row.open === undefined && bytes[at] === QUOTE && at !== row.literal) quoteOpens(row, line, at++);
    row.literal = -1;
    if (row.open === undefined) {
      const next = bytes.indexOf(by.delimiter, at);
      row.cells.push(bytes.subarray(at, next < 0 ? end : next));
      at = next < 0 ? end : next;
    } else {
      const ended = quotedCell(row, line, at, by);
      if (typeof ended === "string") return ended;
      if (ended < 0) return false;
      at = ended;
      row.open = undefined;
    }
    if (at >= end) return true;
  }
};

const badRow = (row: Reading, why: string, last: Line, file: string): BadRow => {
  const hint =
    "the quotes around a cell stand at its ends, those in it are doubled; --skip-bad-rows counts such rows";
  const line = row.held[0]!.number;
  const error = new DataError(`a quote opens a cell here and ${why}`, { file, line, hint });
  return { error, lines: last.number - row.first!.number + 1 };
};

/** Takes the quote that is open for text; returns the lines to be read again, the first from `literal` on. */
const reopen = (row: Reading): Line[] => {
  const { at, before } = row.open!;
  const again = row.held;
  row.cells.length = before;
  row.open = undefined;
  row.held = [];
  row.literal = at;
  return again;
};

/**
 * `push` gives the rows that end in a line, and what is none; `end` what is left. A row that a quote is left
 * open in is named by the line of that quote.
 */
export const rowCutter = (file: string, options: CutterOptions) => {
  const by: Cutting = { ...options, width: 0 };
  const lenient = options.delimiter === TAB;
  let row = begin();
  const take = (line: Line): Row | string | undefined => {
    const goesOn = row.open !== undefined;
    if (goesOn) {
      row.held.push(line);
      row.heldBytes += line.bytes.length;
    }
    const made = readLine(row, line, goesOn ? 0 : Math.max(0, row.literal), by);
    if (made !== true) return made === false ? undefined : made;
    const { cells, first } = row;
    by.width ||= cells.length;
    row = begin();
    return { cells, number: first!.number, offset: first!.offset };
  };
  function* run(given: readonly Line[]): Generator<Row | BadRow> {
    let lines = given;
    for (let i = 0; i < lines.length; i++) {
      const made = take(lines[i]!);
      if (typeof made === "object") yield made;
      if (typeof made !== "string") continue;
      if (lenient) {
        lines = [...reopen(row), ...lines.slice(i + 1)];
        i = -1;
      } else {
        yield badRow(row, made, lines[i]!, file);
        row = begin();
      }
    }
  }
  return {
    push: (line: Line): Generator<Row | BadRow> => run([line]),
    *end(): Generator<Row | BadRow> {
      while (row.open !== undefined) {
        if (lenient) yield* run(reopen(row));
        else {
          yield badRow(row, "is never closed", row.held.at(-1)!, file);
          row = begin();
        }
      }
    },
  };
};
