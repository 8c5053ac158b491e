/** Parquet files out of JSON lines, by DuckDB. */
import { pathToFileURL } from "node:url";
import { MissingError, RunError } from "../../../util/errors.ts";
import { optionalPath } from "../../files/optional.ts";
import { quoted } from "./duckdb.ts";

interface Instance {
  connect(): Promise<{ run(sql: string): Promise<unknown>; closeSync(): void }>;
  closeSync(): void;
}

interface Duckdb {
  readonly DuckDBInstance: {
    create(path: string, options: Readonly<Record<string, string>>): Promise<Instance>;
  };
}

const load = async (file: string): Promise<Duckdb> => {
  try {
    return (await import(pathToFileURL(optionalPath("@duckdb/node-api")).href)) as Duckdb;
  } catch (cause) {
    const hint = "npm install @duckdb/node-api, or write --format jsonl";
    throw new MissingError("writing Parquet needs DuckDB, which is not installed", { file, cause, hint });
  }
};

const COLUMNS = "{id: 'VARCHAR', text: 'VARCHAR', source: 'VARCHAR', \"group\": 'VARCHAR'}";

/**
 * Writes the rows {id, text, source, group} of a file of JSON lines as Parquet, in their order. Throws
 * MissingError without DuckDB, RunError where writing fails.
 */
export const writeParquet = async (from: string, to: string): Promise<void> => {
  const { DuckDBInstance } = await load(to);
  const instance = await DuckDBInstance.create(":memory:", { memory_limit: "512MB", threads: "1" });
  const connection = await instance.connect();
  const source = `read_json(${quoted(from)}, format='newline_delimited', columns=${COLUMNS},
    maximum_object_size=134217728)`;
  try {
    await connection.run(
      `COPY (SELECT * FROM ${source}) TO ${quoted(to)} (FORMAT parquet, COMPRESSION zstd)`,
    );
  } catch (cause) {
    throw new RunError(`writing Parquet failed (${(cause as Error).message.split("\n")[0]})`, {
      file: to,
      cause,
    });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
};
