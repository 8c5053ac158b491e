/**
 * Reads the files of a user as documents: text, Markdown, JSON lines and CSV, plain or gzipped, from files,
 * folders and globs. Everything streams; a record, and a text file that is one document, has a largest size.
 */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { Readable } from "node:stream";
import { CsvError, parse as csvParser } from "csv-parse";
import { glob, isDynamicPattern } from "tinyglobby";
import type { Document } from "../data/document.ts";
import { DataError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";
import { decodeUtf8, fileBytes, type Line, lines, type Place } from "./lines.ts";

export interface ReadOptions {
  /**
   * Field of JSON and CSV records that holds the text; "text", else "content", unless told. "#1", "#2" ...
   * are the columns of a CSV file without a header.
   */
  readonly field?: string;
  /** Count bad records (see `onSkip`) instead of failing at the first. */
  readonly skipBadRows?: boolean;
  readonly onSkip?: (error: DataError) => void;
  /** Largest record or whole document, bytes. */
  readonly maxRecordBytes?: number;
  /** Which files of a folder are read; the known kinds unless told. */
  readonly accept?: (path: string) => boolean;
}

const MAX_RECORD = 64 * 2 ** 20;
/**
 * Text files above WHOLE bytes are cut at blank lines into documents of about PIECE; without blank lines, of
 * LONGEST.
 */
const WHOLE = 2 ** 18;
const PIECE = 2 ** 13;
const LONGEST = 4 * PIECE;

const kindOf = (path: string): string =>
  /\.([a-z]+)(?:\.gz)?$/i.exec(basename(path))?.[1]?.toLowerCase() ?? "";

/** Runs `make` for a record; a DataError is passed on or counted. */
const guarded = <T>(options: ReadOptions, make: () => T): T | undefined => {
  try {
    return make();
  } catch (error) {
    if (!options.skipBadRows || !(error instanceof DataError)) throw error;
    options.onSkip?.(error);
    return undefined;
  }
};

const isBlank = ({ bytes }: Line): boolean => bytes.every((byte) => byte === 32 || (byte >= 9 && byte <= 13));

/** Lines grouped into pieces of about PIECE bytes that end at blank lines where there are some. */
async function* pieces(path: string, maxBytes: number): AsyncGenerator<Line> {
  let piece: Line[] = [];
  let size = 0;
  const join = (): Line => ({ ...piece[0]!, bytes: Buffer.concat(piece.map(({ bytes }) => bytes)) });
  for await (const line of lines(path, maxBytes)) {
    if (size >= LONGEST || (size >= PIECE && isBlank(piece.at(-1)!) && !isBlank(line))) {
      yield join();
      piece = [];
      size = 0;
    }
    piece.push(line);
    size += line.bytes.length;
  }
  if (piece.length > 0) yield join();
}

async function* textDocuments(path: string, options: ReadOptions): AsyncGenerator<Document> {
  const { maxRecordBytes = MAX_RECORD } = options;
  const document = ({ bytes, number, offset }: Line): Document | undefined =>
    guarded(options, () => ({
      id: number === 1 ? path : `${path}:${number}`,
      text: decodeUtf8(bytes, { file: path }, offset),
    }));
  let held: Line[] | undefined = [];
  let size = 0;
  for await (const piece of pieces(path, maxRecordBytes)) {
    size += piece.bytes.length;
    held?.push(piece);
    if (size <= WHOLE) continue;
    for (const each of held ?? [piece]) {
      const made = document(each);
      if (made !== undefined) yield made;
    }
    held = undefined;
  }
  if (held === undefined || held.length === 0) return;
  const whole = document({ ...held[0]!, bytes: Buffer.concat(held.map(({ bytes }) => bytes)) });
  if (whole !== undefined) yield whole;
}

const wantedFields = ({ field }: ReadOptions): readonly string[] =>
  field === undefined ? ["text", "content"] : [field];

const noField = (wanted: readonly string[], found: readonly string[], place: Place): DataError =>
  new DataError(`the record has no field "${wanted.join('" or "')}"`, {
    ...place,
    hint: `its fields are: ${found.slice(0, 12).join(", ")}; name the one with the text with --field`,
  });

const textOf = (record: unknown, options: ReadOptions, place: Place): string => {
  if (typeof record !== "object" || record === null || Array.isArray(record)) {
    throw new DataError("the record is not an object", place);
  }
  const fields = record as Record<string, unknown>;
  const wanted = wantedFields(options);
  const name = wanted.find((field) => Object.hasOwn(fields, field));
  if (name === undefined) throw noField(wanted, Object.keys(fields), place);
  const value = fields[name];
  if (value === null || value === undefined) return "";
  if (typeof value === "object") throw new DataError(`the field "${name}" holds no text`, place);
  return String(value);
};

const parseJson = (text: string, place: Place): unknown => {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const hint = "a line must be one whole JSON object; --skip-bad-rows counts such lines and goes on";
    throw new DataError(`is not JSON (${(cause as Error).message})`, { ...place, hint, cause });
  }
};

async function* jsonDocuments(path: string, options: ReadOptions): AsyncGenerator<Document> {
  for await (const line of lines(path, options.maxRecordBytes ?? MAX_RECORD)) {
    if (isBlank(line)) continue;
    const place = { file: path, line: line.number };
    const text = guarded(options, () =>
      textOf(parseJson(decodeUtf8(line.bytes, place, line.offset), place), options, place),
    );
    if (text !== undefined) yield { id: `${path}:${line.number}`, text };
  }
}

interface Row {
  readonly record: readonly Buffer[];
  readonly info: { readonly lines: number; readonly bytes: number };
}

/**
 * Rows of a CSV file as bytes. In TSV files a quote is a character like any other (the IANA media type has no
 * quoting).
 */
async function* csvRows(path: string, options: ReadOptions): AsyncGenerator<Row> {
  const tsv = kindOf(path) === "tsv";
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
  const source = Readable.from(fileBytes(path));
  source.on("error", (error) => parser.destroy(error));
  source.pipe(parser);
  try {
    yield* parser as AsyncIterable<Row>;
  } catch (error) {
    throw error instanceof DataError ? error : csvError(error, path);
  } finally {
    source.destroy();
  }
}

/** Which column holds the text, and whether the first row is a header. Throws DataError. */
const columnOf = (header: readonly string[], options: ReadOptions, place: Place) => {
  const wanted = wantedFields(options);
  const number = Number(/^#([1-9]\d*)$/.exec(wanted[0]!)?.[1] ?? 0);
  if (number >= 1 && number <= header.length) return { at: number - 1, headed: false };
  const named = wanted.map((name) => header.indexOf(name)).find((at) => at >= 0);
  if (named === undefined) throw noField(wanted, header, place);
  return { at: named, headed: true };
};

async function* csvDocuments(path: string, options: ReadOptions): AsyncGenerator<Document> {
  let column: ReturnType<typeof columnOf> | undefined;
  let start = 0;
  for await (const { record, info } of csvRows(path, options)) {
    const place = { file: path, line: info.lines };
    const offset = start;
    start = info.bytes;
    if (column === undefined) {
      column = columnOf(
        record.map((name) => decodeUtf8(name, place, offset)),
        options,
        place,
      );
      if (column.headed) continue;
    }
    const { at } = column;
    const text = guarded(options, () => {
      const value = record[at];
      if (value !== undefined) return decodeUtf8(value, place, offset);
      throw new DataError(`the row has ${record.length} columns, and the text is in column ${at + 1}`, place);
    });
    if (text !== undefined) yield { id: `${path}:${info.lines}`, text };
  }
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

type Reader = (path: string, options: ReadOptions) => AsyncGenerator<Document>;

const readers: Readonly<Record<string, Reader>> = {
  txt: textDocuments,
  md: textDocuments,
  markdown: textDocuments,
  jsonl: jsonDocuments,
  ndjson: jsonDocuments,
  csv: csvDocuments,
  tsv: csvDocuments,
};

const known = (path: string): boolean => Object.hasOwn(readers, kindOf(path));

const missing = async (path: string): Promise<DataError> => {
  const names = await readdir(dirname(path)).catch(() => [] as string[]);
  const near = nearest(basename(path), names);
  const hint = near === undefined ? "check the path" : `did you mean ${join(dirname(path), near)}?`;
  return new DataError("there is no such file or folder", { file: path, hint });
};

/**
 * The files that `path` names, in a fixed order. A folder's node_modules and hidden files are passed over.
 */
const filesOf = async (path: string, accept: (path: string) => boolean): Promise<string[]> => {
  const info = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR" || isDynamicPattern(path)) return undefined;
    throw new DataError(`cannot be read (${cause.code})`, { file: path, cause });
  });
  if (info?.isFile()) return [path];
  if (info !== undefined && !info.isDirectory())
    throw new DataError("is neither a file nor a folder", { file: path });
  if (info === undefined && !isDynamicPattern(path)) throw await missing(path);
  const options = { onlyFiles: true, followSymbolicLinks: false, expandDirectories: false } as const;
  const found = info?.isDirectory()
    ? (await glob("**/*", { ...options, cwd: path, ignore: ["**/node_modules/**"] })).map((f) =>
        join(path, f),
      )
    : (await glob(path, { ...options, absolute: path.startsWith("/") })).map((f) =>
        path.startsWith("/") ? f : relative(".", f),
      );
  const files = found.filter(accept).sort();
  if (files.length === 0) {
    throw new DataError("has no file that can be read", {
      file: path,
      hint: `known kinds: ${Object.keys(readers).join(", ")}, each also as .gz`,
    });
  }
  return files;
};

/** Documents of all `paths`, file after file. Throws DataError naming file and line. */
export async function* readDocuments(
  paths: readonly string[],
  options: ReadOptions = {},
): AsyncGenerator<Document> {
  const accept = options.accept ?? known;
  if (paths.length === 0)
    throw new DataError("no paths were given", { hint: "name files or folders with --data" });
  const seen = new Set<string>();
  for (const path of paths) {
    for (const file of await filesOf(path, accept)) {
      // Two paths may name the same file: it is read once.
      if (seen.has(resolve(file))) continue;
      seen.add(resolve(file));
      const reader = known(file) ? readers[kindOf(file)]! : textDocuments;
      try {
        yield* reader(file, options);
      } catch (error) {
        if (!options.skipBadRows || !(error instanceof DataError)) throw error;
        options.onSkip?.(error);
      }
    }
  }
}
