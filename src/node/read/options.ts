/** What a reader of files is told, and what all readers do with a bad record. */
import type { Document } from "../../data/records/document.ts";
import type { RowOptions } from "../../data/records/rows.ts";
import { DataError } from "../../util/errors.ts";
import type { Encoding } from "./bytes/decode.ts";
import type { UnpackLimits } from "./bytes/decompress.ts";

/** What readers of files are told. */
export interface ReadOptions extends RowOptions, UnpackLimits {
  /**
   * Field of records that holds the text, or their messages; "text", else "content", "messages",
   * "conversations", or "prompt" and "completion", unless told. "#1", "#2" ... are the columns of a CSV file
   * without a header.
   */
  readonly field?: string;
  /** Count bad records (see `onSkip`) instead of failing at the first. */
  readonly skipBadRows?: boolean;
  /** Told of what could not be read; `records` counts the lines that went with it, 1 unless told. */
  readonly onSkip?: (error: DataError, records?: number) => void;
  /** Largest record or whole document, bytes. */
  readonly maxRecordBytes?: number;
  /** Memory that a Parquet file is read in unless its rows need more, MiB; 512 unless told. */
  readonly memoryMb?: number;
  /** Text files above so many bytes are cut at blank lines into documents (256 KiB unless told). */
  readonly wholeBytes?: number;
  /** Which files of a folder are read; the known kinds unless told. */
  readonly accept?: (path: string) => boolean;
  /**
   * Of what is not UTF-8: its name ("windows-1251"), or "auto", which finds it out or refuses; "utf-8", the
   * default, refuses it. A page that declares its encoding needs none.
   */
  readonly encoding?: Encoding;
  /** Names of the columns of a table whose first row is none of names. */
  readonly columns?: readonly string[];
  /** The character between the columns of a table, or "tab"; found out unless told. */
  readonly delimiter?: string;
}

/** Largest record, bytes. */
export const MAX_RECORD = 64 * 2 ** 20;

/** Reads one file. */
export type Reader = (path: string, options: ReadOptions) => AsyncGenerator<Document>;

/** Runs `make` for a record; a DataError is passed on or counted. */
export const guarded = <T>(options: ReadOptions, make: () => T): T | undefined => {
  try {
    return make();
  } catch (error) {
    if (!options.skipBadRows || !(error instanceof DataError)) throw error;
    options.onSkip?.(error);
    return undefined;
  }
};

/** `doc` with a note of what reading changed, where it changed anything. */
export const withNote = (doc: Document, note: string | undefined): Document =>
  note === undefined ? doc : { ...doc, notes: [...(doc.notes ?? []), note] };
