/** What cuts the columns of a table: told, said by its first line, or found out by its header. */
import { ConfigError } from "../../../util/errors.ts";
import type { Line } from "../bytes/lines.ts";
import { type CutterOptions, type Row, rowCutter } from "./delimited.ts";

const NAMES: Readonly<Record<string, string>> = {
  tab: "\t",
  "\\t": "\t",
  comma: ",",
  semicolon: ";",
  pipe: "|",
};

/** The byte of a delimiter as an option gives it: a character, or "tab". Throws ConfigError. */
export const delimiterByte = (text: string): number => {
  const character = Object.hasOwn(NAMES, text) ? NAMES[text]! : text;
  const byte = character.charCodeAt(0);
  if (character.length === 1 && byte < 128 && !'"\r\n'.includes(character)) return byte;
  throw new ConfigError(`${JSON.stringify(text)} is no delimiter`, {
    field: "data.delimiter",
    hint: 'write one character, such as ";", or tab',
  });
};

/** A delimiter as messages show it. */
export const delimiterName = (byte: number): string =>
  byte === 9 ? "tab" : JSON.stringify(String.fromCharCode(byte));

const LIKELY = [",", ";", "\t", "|", "^"].map((character) => character.charCodeAt(0));

/** Excel's first line, which names the delimiter. */
const SEPARATOR = /^"?sep=([^"\r\n])"?[\r\n]*$/i;

/** Rows that are looked at. */
const SAMPLE = 100;

const sampleRows = (lines: readonly Line[], options: CutterOptions): Row[] => {
  const { push } = rowCutter("", options);
  const rows: Row[] = [];
  for (const line of lines) {
    for (const row of push(line)) if ("cells" in row) rows.push(row);
    if (rows.length >= SAMPLE) break;
  }
  return rows;
};

/** What cuts a table's columns, and whether its first line says so. */
export interface Dialect {
  readonly delimiter: number;
  /** Whether the first line names it and is no row. */
  readonly named: boolean;
}

/** What is expected of a table. */
export interface DialectOptions {
  /** What cuts the columns of such a file as a rule. */
  readonly usual: number;
  readonly maxBytes: number;
  /** Whether a first row may be the table's. */
  readonly fits: (header: Row) => boolean;
}

/**
 * The delimiter of a table that begins with `lines`: the usual one of those by which the first row is the
 * table's and all rows are equally wide, else by which it is the table's at all, else one that cuts all rows
 * equally.
 */
export const dialect = (lines: readonly Line[], { usual, maxBytes, fits }: DialectOptions): Dialect => {
  const named = SEPARATOR.exec(lines[0]?.bytes.toString("latin1") ?? "")?.[1];
  if (named !== undefined) return { delimiter: named.charCodeAt(0), named: true };
  const found = [usual, ...LIKELY.filter((byte) => byte !== usual)].map((delimiter) => {
    const rows = sampleRows(lines, { delimiter, maxBytes });
    const width = rows[0]?.cells.length ?? 0;
    const even = width > 1 && rows.every(({ cells }) => cells.length === width);
    return { delimiter, even, width, fits: width > 0 && fits(rows[0]!) };
  });
  const likely =
    found.find((each) => each.fits && each.even) ??
    found.find((each) => each.fits && each.width > 1) ??
    found.find(({ even }) => even) ??
    found[0]!;
  return { delimiter: likely.delimiter, named: false };
};
