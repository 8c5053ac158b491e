/** Parquet files as documents, read by DuckDB: the columns that are needed, a chunk of rows at a time. */
import { open } from "node:fs/promises";
import { totalmem } from "node:os";
import { resolve } from "node:path";
import type { Document } from "../../../data/records/document.ts";
import { fieldsRead, noField, rowReader, rowShape, shownFields } from "../../../data/records/rows.ts";
import { DataError } from "../../../util/errors.ts";
import { type Decoding, decodeText, type Place, recordDecoding } from "../bytes/decode.ts";
import { packing } from "../bytes/decompress.ts";
import { guarded, MAX_RECORD, type ReadOptions, withNote } from "../options.ts";
import {
  type Connection,
  type Fields,
  isOutOfMemory,
  isRemote,
  MEMORY,
  named,
  quoted,
  rowsOf,
  withDuckdb,
} from "./duckdb.ts";

/** Throws DataError where a local file does not begin and end as Parquet does. */
const checkMagic = async (path: string): Promise<void> => {
  if (packing(path) !== undefined) {
    throw new DataError("is packed Parquet", {
      file: path,
      hint: "unpack it; Parquet packs its columns itself",
    });
  }
  const handle = await open(path).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`cannot be read (${cause.code})`, { file: path, cause });
  });
  try {
    const { size } = await handle.stat();
    const ends = Buffer.alloc(8);
    if (size >= 12) {
      await handle.read(ends, 0, 4, 0);
      await handle.read(ends, 4, 4, size - 4);
    }
    if (ends.toString("latin1") === "PAR1PAR1") return;
    throw new DataError("is not Parquet, or torn", { file: path, hint: "get it again" });
  } finally {
    await handle.close();
  }
};

interface Column {
  readonly name: string;
  /** DuckDB's name of its type. */
  readonly type: string;
}

/** The columns of a Parquet file. */
const columnsOf = async (connection: Connection, from: string, path: string): Promise<readonly Column[]> => {
  const columns: Column[] = [];
  const sql = `SELECT column_name AS name, column_type AS type FROM (DESCRIBE SELECT * FROM ${from})`;
  for await (const { name, type } of rowsOf(connection, sql, path))
    columns.push({ name: String(name), type: String(type) });
  return columns;
};

/** The columns to select. Throws DataError where none holds the text. */
const selected = (columns: readonly Column[], options: ReadOptions, path: string): readonly Column[] => {
  const names = columns.map(({ name }) => name);
  const { fields = {} } = options;
  const shape = rowShape(new Set([...names, ...Object.keys(fields)]), options);
  if (shape === undefined) throw noField(names, options, { file: path });
  const used = fieldsRead(shape, options);
  const unread = names.filter((name) => !used.has(name));
  if (unread.length > 0) options.onWarning?.(`these fields are not read: ${shownFields(unread)}`);
  return columns.filter(({ name }) => used.has(name));
};

/** Types whose values JavaScript has too; of the others DuckDB tells the text. */
const OWN = /^(?:VARCHAR|BLOB|BOOLEAN|U?(?:TINY|SMALL|BIG)INT|U?INTEGER|STRUCT\(.*|MAP\(.*|.*\])$/s;

const FLOATS: Readonly<Record<string, number>> = { FLOAT: 2 ** 24, DOUBLE: 2 ** 53 };

const expression = ({ name, type }: Column): string =>
  OWN.test(type) ? named(name) : `CAST(${named(name)} AS VARCHAR) AS ${named(name)}`;

/** What a text was that DuckDB made of a value of this type. */
const kindOf = (type: string): string => {
  if (/^(?:FLOAT|DOUBLE|DECIMAL|U?HUGEINT)/.test(type)) return "number";
  return /^(?:DATE|TIME|INTERVAL)/.test(type) ? "date" : type.toLowerCase();
};

/** The note of a text that was of another type. */
const conversion = (columns: readonly Column[], { field }: ReadOptions): string | undefined => {
  const shape = rowShape(new Set(columns.map(({ name }) => name)), field === undefined ? {} : { field });
  const text = shape?.kind === "text" ? columns.find(({ name }) => name === shape.field) : undefined;
  return text === undefined || OWN.test(text.type) ? undefined : `${kindOf(text.type)} converted to text`;
};

/** Throws DataError for a number too large for its type to hold all of its digits. */
const refuseRounded = (value: string, { name, type }: Column, place: Place): void => {
  const number = Math.abs(Number(value));
  if (!Object.hasOwn(FLOATS, type) || !(number >= FLOATS[type]!) || number === Number.POSITIVE_INFINITY)
    return;
  throw new DataError(`the field "${name}" holds ${value}, whose digits a ${type} does not hold`, {
    ...place,
    hint: "write the column as text, as BIGINT or as DECIMAL",
  });
};

interface Reading {
  readonly options: ReadOptions;
  readonly decoding: Decoding;
}

/** A value of DuckDB's as one of JSON's: bytes are text. Throws DataError for a text above the limit. */
const plain = (value: unknown, column: Column, place: Place, { options, decoding }: Reading): unknown => {
  const bytes = value instanceof Uint8Array ? value : (value as { bytes?: unknown } | null)?.bytes;
  const text = bytes instanceof Uint8Array ? decodeText(Buffer.from(bytes), place, 0, decoding).text : value;
  const { maxRecordBytes = MAX_RECORD } = options;
  if (typeof text !== "string") return text;
  refuseRounded(text, column, place);
  if (text.length <= maxRecordBytes) return text;
  throw new DataError(`a record is longer than ${maxRecordBytes} bytes`, place);
};

/** What DuckDB may use at most, MiB: it holds 2048 rows at a time, and some files have very long ones. */
const mostMemory = (): number => Math.max(MEMORY, totalmem() / 2 ** 21);

/** Rows that are asked for together where memory is short. */
const FEW = 512;

interface ParquetRow {
  readonly row: Fields;
  readonly columns: readonly Column[];
}

/** Rows of a Parquet file; where memory runs out, from there on a few at a time, with twice as much. */
async function* parquetRows(path: string, options: ReadOptions): AsyncGenerator<ParquetRow> {
  const { memoryMb = MEMORY } = options;
  const file = quoted(isRemote(path) ? path : resolve(path));
  let memory = memoryMb;
  let done = 0;
  async function* rows(connection: Connection): AsyncGenerator<ParquetRow> {
    const columns = selected(await columnsOf(connection, `read_parquet(${file})`, path), options, path);
    const select = `SELECT ${columns.map(expression).join(", ")} FROM`;
    const few = (from: number): string =>
      `${select} read_parquet(${file}, file_row_number = true)
        WHERE file_row_number BETWEEN ${from} AND ${from + FEW - 1}`;
    for (let from = -1; from < done; ) {
      from = done;
      const sql = memory === memoryMb ? `${select} read_parquet(${file})` : few(from);
      for await (const row of rowsOf(connection, sql, path)) {
        done++;
        yield { row, columns };
      }
      if (memory === memoryMb) return;
    }
  }
  for (; ; memory *= 2) {
    try {
      return yield* withDuckdb([path], rows, memory);
    } catch (error) {
      const short = error instanceof DataError && isOutOfMemory(error.cause);
      if (!short || 2 * memory > mostMemory()) throw error;
    }
  }
}

/** Documents of a Parquet file. Throws DataError naming the row, MissingError where DuckDB is absent. */
export async function* parquetDocuments(path: string, options: ReadOptions): AsyncGenerator<Document> {
  if (!isRemote(path)) await checkMagic(path);
  const document = rowReader(options);
  const reading = { options, decoding: await recordDecoding(options.encoding) };
  let number = 0;
  for await (const { row, columns } of parquetRows(path, options)) {
    const place = { file: path, line: ++number };
    const made = guarded(options, () => {
      const fields: Record<string, unknown> = Object.create(null);
      for (const column of columns) fields[column.name] = plain(row[column.name], column, place, reading);
      const doc = document(fields, `${path}:${number}`, place);
      return withNote(doc, doc.text === "" ? undefined : conversion(columns, options));
    });
    if (made !== undefined) yield made;
  }
}
