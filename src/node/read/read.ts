/**
 * Reads the files of a user as documents: text, Markdown, HTML, JSON, JSON lines, CSV, TSV and Parquet,
 * plain or packed, from files, folders, globs and addresses. Everything streams; a record has a largest
 * size.
 */
import { basename } from "node:path";
import type { Document } from "../../data/records/document.ts";
import { defined } from "../../util/defined.ts";
import { DataError } from "../../util/errors.ts";
import { conllDocuments } from "./conll.ts";
import { type InputFile, kindOf, type ListOptions, listFiles } from "./inputs.ts";
import { jsonDocuments, jsonLineDocuments } from "./json/json.ts";
import type { Reader, ReadOptions } from "./options.ts";
import { parquetDocuments } from "./parquet/parquet.ts";
import { tableDocuments } from "./tables/table.ts";
import { textDocuments } from "./text.ts";

export type { ReadOptions } from "./options.ts";

/** The parser of pages is loaded when there is one. */
const htmlDocuments: Reader = async function* (path, options) {
  const html = await import("./html.ts");
  yield* html.htmlDocuments(path, options);
};

const readers: Readonly<Record<string, Reader>> = {
  txt: textDocuments,
  md: textDocuments,
  markdown: textDocuments,
  html: htmlDocuments,
  htm: htmlDocuments,
  json: jsonDocuments,
  jsonl: jsonLineDocuments,
  jsonlines: jsonLineDocuments,
  ndjson: jsonLineDocuments,
  csv: tableDocuments,
  tsv: tableDocuments,
  parquet: parquetDocuments,
  conll: conllDocuments,
  bio: conllDocuments,
  iob2: conllDocuments,
};

const isKnown = (path: string): boolean => Object.hasOwn(readers, kindOf(path));

/** JSON that stands in folders of data and holds none. */
const METADATA =
  /^(dataset_infos?|dataset_dict|state|package|package-lock|tsconfig|.*config|tokenizer|.*\.index)\.json$/i;

const accepted = (path: string): boolean => isKnown(path) && !METADATA.test(basename(path));

const KINDS = Object.keys(readers);

/**
 * The files that `paths` name, once each, in a fixed order: that of their names. Throws DataError for a path
 * that names none.
 */
export const listInputs = async (
  paths: readonly string[],
  options: ReadOptions & Pick<ListOptions, "hash" | "out" | "onPassed" | "onLeftOut"> = {},
): Promise<InputFile[]> => {
  const { accept = accepted, hash, out, onPassed, onLeftOut } = options;
  const files = await listFiles(paths, {
    accept,
    kinds: KINDS,
    ...defined({ hash, out, onPassed, onLeftOut }),
  });
  return files.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
};

/** Documents of one file, of its kind, else of text. Throws DataError naming file and line. */
export async function* readFileDocuments(
  file: string | InputFile,
  options: ReadOptions = {},
): AsyncGenerator<Document> {
  const path = typeof file === "string" ? file : file.path;
  const reader = isKnown(path) ? readers[kindOf(path)]! : textDocuments;
  try {
    yield* reader(path, options);
  } catch (error) {
    if (!options.skipBadRows || !(error instanceof DataError)) throw error;
    options.onSkip?.(error);
  }
}

/** Documents of all `paths`, file after file in the order given. Throws DataError naming file and line. */
export async function* readDocuments(
  paths: readonly string[],
  options: ReadOptions = {},
): AsyncGenerator<Document> {
  const files = await listFiles(paths, { accept: options.accept ?? accepted, kinds: KINDS });
  for (const file of files) yield* readFileDocuments(file, options);
}
