/**
 * DuckDB, an optional package, as a reader: loaded when it is first needed, with its memory and threads
 * bounded, and allowed to open the files that are read and no others.
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { AnnealError, DataError, MissingError } from "../../../util/errors.ts";
import { optionalPath } from "../../files/optional.ts";

/** A row's values by column. */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * The part of a connection of DuckDB's that is used; the package's own types would be needed to build else.
 */
export interface Connection {
  run(sql: string): Promise<unknown>;
  stream(sql: string): Promise<Result>;
  closeSync(): void;
}

type Convert = (value: unknown, type: unknown, convert: Convert) => unknown;

interface Result extends AsyncIterable<Chunk> {
  deduplicatedColumnNames(): readonly string[];
}

interface Chunk {
  readonly rowCount: number;
  convertRowValues(row: number, convert: Convert): readonly unknown[];
}

interface Duckdb {
  readonly JSDuckDBValueConverter: Convert;
  readonly DuckDBInstance: {
    create(path: string, options: Readonly<Record<string, string>>): Promise<Instance>;
  };
}

interface Instance {
  connect(): Promise<Connection>;
  closeSync(): void;
}

/** A text as a literal of SQL. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** A name as an identifier of SQL. */
export const named = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** DuckDB holds buffers of this size; longer lines are refused. */
const LONGEST_LINE = 16 * 2 ** 20;

/** Whether `path` is an address that DuckDB would fetch. */
export const isRemote = (path: string): boolean => /^(?:https?|s3|hf):\/\//i.test(path);

const load = async (file: string): Promise<Duckdb> => {
  try {
    return (await import(pathToFileURL(optionalPath("@duckdb/node-api")).href)) as Duckdb;
  } catch (cause) {
    throw new MissingError("reading this file needs DuckDB, which is not installed", {
      file,
      cause,
      hint: "npm install @duckdb/node-api",
    });
  }
};

/** Loads the extension for remote files. Throws MissingError with what can be done instead. */
const loadRemote = async (connection: Connection, file: string): Promise<void> => {
  try {
    await connection.run("LOAD httpfs").catch(() => connection.run("INSTALL httpfs; LOAD httpfs"));
  } catch (cause) {
    throw new MissingError(
      "reading remote files needs DuckDB's extension httpfs, which could not be loaded",
      {
        file,
        cause,
        hint: "with a network, run INSTALL httpfs in DuckDB once; else download the file and name its path",
      },
    );
  }
};

const version = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0]!;

/** Whether DuckDB ran out of the memory that it may use. */
export const isOutOfMemory = (error: unknown): boolean => /^Out of Memory Error/.test(version(error));

/** An error of DuckDB's as a DataError about `file`. */
export const duckdbError = (cause: unknown, file: string): DataError => {
  const near = isRemote(file) ? "check the address, the network and the credentials" : "the file may be torn";
  const hint = isOutOfMemory(cause)
    ? "its rows are very long: write it again with fewer rows in a row group (100), or as JSON lines"
    : near;
  return new DataError(`cannot be read (${version(cause)})`, { file, cause, hint });
};

/** Memory that DuckDB may use unless told, MiB. */
export const MEMORY = 512;

/**
 * Runs `work` with a connection that may read `paths` alone, in `memory` MiB. Throws MissingError where
 * DuckDB or, for remote files, its extension is absent.
 */
export async function* withDuckdb<T>(
  paths: readonly string[],
  work: (connection: Connection) => AsyncGenerator<T>,
  memory: number = MEMORY,
): AsyncGenerator<T> {
  const file = paths[0]!;
  const { DuckDBInstance } = await load(file);
  const remote = paths.some(isRemote);
  const instance = await DuckDBInstance.create(":memory:", {
    memory_limit: `${memory}MiB`,
    threads: "1",
    preserve_insertion_order: "true",
    temp_directory: "",
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  });
  const connection = await instance.connect();
  try {
    if (remote) await loadRemote(connection, file);
    const allowed = paths.map((path) => quoted(isRemote(path) ? path : resolve(path)));
    await connection.run("SET TimeZone = 'UTC'");
    await connection.run(`SET allowed_paths = [${allowed.join(", ")}]`);
    await connection.run("SET enable_external_access = false");
    await connection.run("SET lock_configuration = true");
    yield* work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/**
 * Rows of a query, in the order that it gives them: a chunk of them in DuckDB's memory at a time, one in that
 * of JavaScript.
 */
export async function* rowsOf(connection: Connection, sql: string, file: string): AsyncGenerator<Fields> {
  const { JSDuckDBValueConverter: convert } = await load(file);
  try {
    const result = await connection.stream(sql);
    const names = result.deduplicatedColumnNames();
    for await (const chunk of result) {
      for (let row = 0; row < chunk.rowCount; row++) {
        const values = chunk.convertRowValues(row, convert);
        yield Object.fromEntries(names.map((name, i) => [name, values[i]]));
      }
    }
  } catch (cause) {
    throw cause instanceof AnnealError ? cause : duckdbError(cause, file);
  }
}

/**
 * The lines of a packed or remote text file as UTF-8 bytes, each with a line feed. Throws DataError for
 * what is not UTF-8 or has a longer line.
 */
export async function* duckdbLines(path: string, maxLineBytes: number): AsyncGenerator<Buffer> {
  const place = isRemote(path) ? path : resolve(path);
  const longest = Math.min(maxLineBytes, LONGEST_LINE);
  const sql = `SELECT line FROM read_csv(${quoted(place)}, columns = {'line': 'VARCHAR'}, delim = '',
    quote = '', escape = '', header = false, auto_detect = false, max_line_size = ${longest},
    buffer_size = ${Math.max(2 * longest, 2 ** 20)})`;
  yield* withDuckdb([path], async function* (connection) {
    for await (const { line } of rowsOf(connection, sql, path)) yield Buffer.from(`${line ?? ""}\n`);
  });
}
