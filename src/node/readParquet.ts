/** Parquet files as documents, read by DuckDB: the columns that are needed, a chunk of rows at a time. */
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import type { Document } from "../data/document.ts";
import { fieldsRead, noField, rowReader, rowShape } from "../data/rows.ts";
import { DataError } from "../util/errors.ts";
import { packing } from "./decompress.ts";
import { type Connection, type Fields, isRemote, named, quoted, rowsOf, withDuckdb } from "./duckdb.ts";
import { decodeText } from "./lines.ts";
import { guarded, MAX_RECORD, type ReadOptions } from "./readOptions.ts";

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

/** The columns of a Parquet file. */
const columnsOf = async (connection: Connection, from: string, path: string): Promise<readonly string[]> => {
  const names: string[] = [];
  const sql = `SELECT column_name FROM (DESCRIBE SELECT * FROM ${from})`;
  for await (const { column_name } of rowsOf(connection, sql, path)) names.push(String(column_name));
  return names;
};

/** The columns to select. Throws DataError where none holds the text. */
const selected = (names: readonly string[], options: ReadOptions, path: string): readonly string[] => {
  const shape = rowShape(new Set([...names, ...Object.keys(options.fields ?? {})]), options.field);
  if (shape === undefined) throw noField(names, options.field, { file: path });
  const used = fieldsRead(shape, options);
  const unread = names.filter((name) => !used.has(name));
  if (unread.length > 0) options.onWarning?.(`these fields are not read: ${unread.slice(0, 12).join(", ")}`);
  return names.filter((name) => used.has(name));
};

/** A value of DuckDB's as one of JSON's: bytes are text. Throws DataError for a text above the limit. */
const plain = (value: unknown, options: ReadOptions, place: { file: string; line: number }): unknown => {
  const bytes = value instanceof Uint8Array ? value : (value as { bytes?: unknown } | null)?.bytes;
  const text =
    bytes instanceof Uint8Array ? decodeText(Buffer.from(bytes), place, 0, options.encoding).text : value;
  const { maxRecordBytes = MAX_RECORD } = options;
  if (typeof text !== "string" || text.length <= maxRecordBytes) return text;
  throw new DataError(`a record is longer than ${maxRecordBytes} bytes`, place);
};

/** Documents of a Parquet file. Throws DataError naming the row, MissingError where DuckDB is absent. */
export async function* parquetDocuments(path: string, options: ReadOptions): AsyncGenerator<Document> {
  if (!isRemote(path)) await checkMagic(path);
  const document = rowReader(options);
  const from = `read_parquet(${quoted(isRemote(path) ? path : resolve(path))})`;
  const rows = withDuckdb([path], async function* (connection): AsyncGenerator<Fields> {
    const columns = selected(await columnsOf(connection, from, path), options, path);
    yield* rowsOf(connection, `SELECT ${columns.map(named).join(", ")} FROM ${from}`, path);
  });
  let number = 0;
  for await (const row of rows) {
    const place = { file: path, line: ++number };
    const made = guarded(options, () => {
      const fields: Record<string, unknown> = Object.create(null);
      for (const [name, value] of Object.entries(row)) fields[name] = plain(value, options, place);
      return document(fields, `${path}:${number}`, place);
    });
    if (made !== undefined) yield made;
  }
}
