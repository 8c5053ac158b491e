/** Rows of CSV and TSV files as documents. Their cells are decoded only where they are read. */
import { basename } from "node:path";
import { Readable } from "node:stream";
import { CsvError, parse as csvParser } from "csv-parse";
import type { Document } from "../data/document.ts";
import { fieldsRead, noField, rowReader, rowShape, shapeFields } from "../data/rows.ts";
import { AnnealError, DataError } from "../util/errors.ts";
import { decodeText, fileBytes, type Place } from "./lines.ts";
import { guarded, MAX_RECORD, type ReadOptions, withNote } from "./readOptions.ts";

interface Row {
  readonly record: readonly Buffer[];
  readonly info: { readonly lines: number; readonly bytes: number };
}

const csvError = (error: unknown, path: string): DataError => {
  const line = error instanceof CsvError ? (error as CsvError & { lines?: number }).lines : undefined;
  return new DataError(`is not CSV (${(error as Error).message})`, {
    file: path,
    ...(line === undefined ? {} : { line }),
    hint: "--skip-bad-rows counts such rows and goes on",
    cause: error,
  });
};

/**
 * Rows of a CSV file as bytes. In TSV files a quote is a character like any other (the IANA media type has no
 * quoting).
 */
async function* csvRows(path: string, options: ReadOptions): AsyncGenerator<Row> {
  const tsv = /\.tsv(\.\w+)?$/i.test(basename(path));
  const parser = csvParser({
    delimiter: tsv ? "\t" : ",",
    quote: tsv ? null : '"',
    encoding: null,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: options.maxRecordBytes ?? MAX_RECORD,
    skip_records_with_error: options.skipBadRows ?? false,
    on_skip: (error) => {
      options.onSkip?.(csvError(error, path));
      return undefined;
    },
  });
  const source = Readable.from(fileBytes(path, options));
  source.on("error", (error) => parser.destroy(error));
  source.pipe(parser);
  try {
    yield* parser as AsyncIterable<Row>;
  } catch (error) {
    throw error instanceof AnnealError ? error : csvError(error, path);
  } finally {
    source.destroy();
  }
}

interface Columns {
  /** Name and place of each column that is read. */
  readonly read: readonly (readonly [name: string, at: number])[];
  /** Names of the columns without which a row is bad. */
  readonly needed: ReadonlySet<string>;
  readonly headed: boolean;
  /** All columns, to be warned of. */
  readonly unread: readonly string[];
}

/** The columns to read, and whether the first row is a header. Throws DataError. */
const columnsOf = (header: readonly string[], options: ReadOptions, place: Place): Columns => {
  const { field, fields = {} } = options;
  const number = Number(/^#([1-9]\d*)$/.exec(field ?? "")?.[1] ?? 0);
  if (number >= 1 && number <= header.length) {
    return { read: [[field!, number - 1]], needed: new Set([field!]), headed: false, unread: [] };
  }
  const names = new Set([...header, ...Object.keys(fields)]);
  const shape = rowShape(names, field);
  if (shape === undefined) throw noField(header, field, place);
  const used = fieldsRead(shape, options);
  const read = [...used].flatMap((name) =>
    header.includes(name) ? [[name, header.indexOf(name)] as const] : [],
  );
  const needed = new Set(shapeFields(shape).filter((name) => !Object.hasOwn(fields, name)));
  return { read, needed, headed: true, unread: header.filter((name) => !used.has(name)) };
};

const cells = ({ read, needed }: Columns, row: readonly Buffer[], place: Place): [string, Buffer][] =>
  read.flatMap(([name, at]): [string, Buffer][] => {
    const value = row[at];
    if (value !== undefined) return [[name, value]];
    if (!needed.has(name)) return [];
    throw new DataError(`the row has ${row.length} columns, and the text is in column ${at + 1}`, place);
  });

/** Documents of a CSV or TSV file. Throws DataError naming the line. */
export async function* tableDocuments(path: string, options: ReadOptions): AsyncGenerator<Document> {
  const document = rowReader(options);
  let columns: Columns | undefined;
  let start = 0;
  for await (const { record, info } of csvRows(path, options)) {
    const place = { file: path, line: info.lines };
    const offset = start;
    start = info.bytes;
    const decoded = (cell: Buffer) => decodeText(cell, place, offset, options.encoding);
    if (columns === undefined) {
      columns = columnsOf(
        record.map((name) => decoded(name).text),
        options,
        place,
      );
      const { unread } = columns;
      if (unread.length > 0)
        options.onWarning?.(`these fields are not read: ${unread.slice(0, 12).join(", ")}`);
      if (columns.headed) continue;
    }
    const known = columns;
    const made = guarded(options, () => {
      let note: string | undefined;
      const fields: Record<string, string> = Object.create(null);
      for (const [name, cell] of cells(known, record, place)) {
        const value = decoded(cell);
        note ??= value.note;
        fields[name] = value.text;
      }
      return withNote(document(fields, `${path}:${info.lines}`, place), note);
    });
    if (made !== undefined) yield made;
  }
}
