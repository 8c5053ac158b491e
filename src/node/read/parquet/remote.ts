/** Remote files, by DuckDB's extension httpfs: their names, and the lines of those that are text. */
import { DataError } from "../../../util/errors.ts";
import { duckdbLines, isRemote, quoted, rowsOf, withDuckdb } from "./duckdb.ts";

export { isRemote };

/** The files that an address or a pattern of an address names, sorted. Throws DataError, MissingError. */
export const remoteFiles = async (address: string): Promise<readonly string[]> => {
  if (!/[*?[]/.test(address)) return [address];
  const found: string[] = [];
  const rows = withDuckdb([address], (connection) =>
    rowsOf(connection, `SELECT file FROM glob(${quoted(address)})`, address),
  );
  for await (const { file } of rows) found.push(String(file));
  if (found.length > 0) return found.sort();
  throw new DataError("names no file", { file: address, hint: "check the pattern" });
};

/** The bytes of a remote text file, line by line. Throws DataError, MissingError. */
export const remoteBytes = (address: string, maxLineBytes: number): AsyncGenerator<Buffer> =>
  duckdbLines(address, maxLineBytes);
