/** Rows of CSV and TSV files as documents. Their cells are decoded only where they are read. */
import { basename } from "node:path";
import type { Document } from "../../../data/records/document.ts";
import {
  fieldsRead,
  noField,
  rowReader,
  rowShape,
  shapeFields,
  shownFields,
} from "../../../data/records/rows.ts";
import { DataError } from "../../../util/errors.ts";
import { type Decoding, decodeText, fileDecoding, type Place } from "../bytes/decode.ts";
import type { Line } from "../bytes/lines.ts";
import { guarded, MAX_RECORD, type ReadOptions, withNote } from "../options.ts";
import { linesOf } from "../text.ts";
import { type BadRow, type Row, rowCutter } from "./delimited.ts";
import { delimiterByte, delimiterName, dialect } from "./dialect.ts";

interface Columns {
  /** Name and place of each column that is read. */
  readonly read: readonly (readonly [name: string, at: number])[];
  /** Names of the columns without which a row is bad. */
  readonly needed: ReadonlySet<string>;
  readonly headed: boolean;
  /** How many there are. */
  readonly width: number;
  /** All columns, to be warned of. */
  readonly unread: readonly string[];
}

/** The number of a column that is named as "#1"; 0 for other names. */
const columnNumber = (field = ""): number => Number(/^#([1-9]\d*)$/.exec(field)?.[1] ?? 0);

/** Whether a first row may be that of the table that the options tell of. */
const fits = (header: readonly string[], options: ReadOptions): boolean => {
  const { field, fields = {}, every, columns, records } = options;
  if (columns !== undefined) return header.length === columns.length;
  if (records) return header.length > 1;
  const number = columnNumber(field);
  if (number > 0 && number <= header.length) return true;
  // Of any names a table has two at least, where the delimiter is the right one.
  const names = new Set([...header, ...Object.keys(fields)]);
  return rowShape(names, { ...options, every: (every ?? false) && header.length > 1 }) !== undefined;
};

/** The columns of a table without a header. Throws DataError where there are not as many as names. */
const namedColumns = (names: readonly string[], width: number, place: Place): Columns => {
  if (names.length !== width) {
    throw new DataError(`the row has ${width} columns, and ${names.length} are named`, {
      ...place,
      hint: "name each column of the table with --columns, in their order",
    });
  }
  const read = names.map((name, at) => [name, at] as const);
  return { read, needed: new Set(names), headed: false, width, unread: [] };
};

/** The columns to read, and whether the first row is a header. Throws DataError. */
const columnsOf = (header: readonly string[], options: ReadOptions, place: Place): Columns => {
  const { field, fields = {}, columns } = options;
  const width = header.length;
  if (columns !== undefined) return namedColumns(columns, width, place);
  const number = columnNumber(field);
  if (number >= 1 && number <= width) {
    return { read: [[field!, number - 1]], needed: new Set([field!]), headed: false, width, unread: [] };
  }
  const shape = rowShape(new Set([...header, ...Object.keys(fields)]), options);
  if (shape === undefined) throw noField(header, options, place);
  const used = fieldsRead(shape, options);
  const twice = [...used].find((name) => header.indexOf(name) !== header.lastIndexOf(name));
  if (twice !== undefined) {
    const hint = "give each a name of its own in the first line";
    throw new DataError(`two columns are named ${JSON.stringify(twice)}`, { ...place, hint });
  }
  const read = [...used].flatMap((name) =>
    header.includes(name) ? [[name, header.indexOf(name)] as const] : [],
  );
  const needed = new Set(shapeFields(shape).filter((name) => !Object.hasOwn(fields, name)));
  return { read, needed, headed: true, width, unread: header.filter((name) => !used.has(name)) };
};

/** The cells that are read. Throws DataError for a row that lacks the text, or has too many cells. */
const cells = (
  { read, needed, width }: Columns,
  row: readonly Buffer[],
  delimiter: number,
  place: Place,
): [string, Buffer][] => {
  // Empty cells behind the last column lose nothing.
  if (row.slice(width).some(({ length }) => length > 0)) {
    const cut = delimiterName(delimiter);
    const hint = `a text with ${cut} in it must stand in quotes; --delimiter names another delimiter`;
    throw new DataError(`the row has ${row.length} columns, the first row has ${width} (delimiter ${cut})`, {
      ...place,
      hint,
    });
  }
  return read.flatMap(([name, at]): [string, Buffer][] => {
    const value = row[at];
    if (value !== undefined) return [[name, value]];
    if (!needed.has(name)) return [];
    throw new DataError(`the row has ${row.length} columns, and "${name}" is column ${at + 1}`, place);
  });
};

/** A table that is being read. */
interface Table {
  readonly path: string;
  readonly options: ReadOptions;
  readonly decoding: Decoding;
  delimiter: number;
}

/** A cutter for the table that begins with `lines`, and those of them that are rows. */
const cutterFor = (table: Table, lines: readonly Line[]) => {
  const { path, options, decoding } = table;
  const { maxRecordBytes: maxBytes = MAX_RECORD, delimiter: given } = options;
  const usual = /\.tsv(\.\w+)?$/i.test(basename(path)) ? 9 : 44;
  const names = ({ cells: row, offset, number }: Row): string[] =>
    row.map((cell) => decodeText(cell, { file: path, line: number }, offset, decoding).text);
  const found = dialect(lines, { usual, maxBytes, fits: (row) => fits(names(row), options) });
  table.delimiter = given === undefined ? found.delimiter : delimiterByte(given);
  const cutter = rowCutter(path, { delimiter: table.delimiter, maxBytes });
  return { cutter, rows: found.named ? lines.slice(1) : lines };
};

/** Rows of a table, and what is none. */
async function* tableRows(table: Table): AsyncGenerator<Row | BadRow> {
  const { path, options, decoding } = table;
  let cutter: ReturnType<typeof rowCutter> | undefined;
  for await (const group of linesOf(path, { ...options, ...decoding, carriageReturns: true })) {
    let lines: readonly Line[] = group;
    if (cutter === undefined) ({ cutter, rows: lines } = cutterFor(table, lines));
    for (const line of lines) yield* cutter.push(line);
  }
  if (cutter !== undefined) yield* cutter.end();
}

/** Tells of a row that is none. Throws its error unless bad rows are counted. */
const refuse = ({ error, lines }: BadRow, options: ReadOptions): void => {
  if (!options.skipBadRows) throw error;
  options.onSkip?.(error, lines);
};

/** A function that makes a document of a row; undefined of the header, and of a bad row that is counted. */
const rowDocument = (table: Table) => {
  const { path, options } = table;
  const document = rowReader(options);
  let columns: Columns | undefined;
  return ({ cells: row, number, offset }: Row): Document | undefined => {
    const place = { file: path, line: number };
    const decoded = (cell: Buffer) => decodeText(cell, place, offset, table.decoding);
    if (columns === undefined) {
      const names = row.map((name) => decoded(name).text);
      columns = columnsOf(names, options, place);
      const { unread } = columns;
      if (unread.length > 0) options.onWarning?.(`these fields are not read: ${shownFields(unread)}`);
      if (columns.headed) return undefined;
    }
    const known = columns;
    return guarded(options, () => {
      let note: string | undefined;
      const fields: Record<string, string> = Object.create(null);
      for (const [name, cell] of cells(known, row, table.delimiter, place)) {
        const value = decoded(cell);
        note ??= value.note;
        fields[name] = value.text;
      }
      return withNote(document(fields, `${path}:${number}`, place), note);
    });
  };
};

/** Documents of a CSV or TSV file. Throws DataError naming the line. */
export async function* tableDocuments(path: string, options: ReadOptions): AsyncGenerator<Document> {
  const decoding = await fileDecoding(path, options, options.maxRecordBytes ?? MAX_RECORD);
  const table: Table = { path, options, decoding, delimiter: 0 };
  const read = rowDocument(table);
  for await (const row of tableRows(table)) {
    if ("error" in row) refuse(row, options);
    else {
      const made = read(row);
      if (made !== undefined) yield made;
    }
  }
}
