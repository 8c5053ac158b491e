/**
 * The files of a model's folder. A folder may come from anywhere, so that nothing outside it is read through
 * its links, and nothing larger than it can be is read at all. A GGUF file stands for a folder: it has the
 * JSON files that its header amounts to.
 */
import { open, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import type { Json } from "../../models/model.ts";
import { DataError, FormatError } from "../../util/errors.ts";
import { parseText } from "../../util/jsonText.ts";
import { ggufJson, isGguf } from "./ggufFile.ts";

const hint = "a model's folder has config.json, model.safetensors and tokenizer.json; anneal train makes one";

/** Largest JSON file that is read, bytes: a tokenizer of a million tokens takes a tenth of it. */
const MAX_JSON = 2 ** 28;

const failed = (file: string, cause: unknown): never => {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === undefined) throw cause;
  throw new DataError(`cannot be read (${code})`, { file, cause, hint });
};

/** The Hub's cache has links from `snapshots/REVISION` to `blobs`, both of one repository's folder. */
const blobsOf = (folder: string): string | undefined => {
  const snapshots = dirname(folder);
  return basename(snapshots) === "snapshots" ? join(dirname(snapshots), "blobs") : undefined;
};

/**
 * The real path of the file `name` of a folder; undefined where it is not there, and of a GGUF file. Throws
 * FormatError for a link that leaves the folder (but for the Hub's cache, whose links lead to its own blobs)
 * and for what is no file.
 */
export const findFile = async (dir: string, name: string): Promise<string | undefined> => {
  if (await isGguf(dir)) return undefined;
  const file = join(dir, name);
  const folder = await realpath(dir).catch((cause) => failed(dir, cause));
  const path = await realpath(file).catch((cause: NodeJS.ErrnoException) =>
    cause.code === "ENOENT" ? undefined : failed(file, cause),
  );
  if (path === undefined) return undefined;
  const allowed = [folder, blobsOf(folder)].filter((x) => x !== undefined);
  if (!allowed.some((inside) => path.startsWith(inside.endsWith(sep) ? inside : `${inside}${sep}`))) {
    throw new FormatError("is a link that leaves the folder", {
      file,
      hint: "copy the file itself into the folder, if you trust where it leads",
    });
  }
  const found = await stat(path).catch((cause) => failed(file, cause));
  if (!found.isFile()) throw new FormatError("is no file", { file });
  return path;
};

/** As `findFile`, for a file that must be there. Throws DataError where it is not. */
export const needFile = async (dir: string, name: string): Promise<string> => {
  const path = await findFile(dir, name);
  if (path !== undefined) return path;
  throw new DataError("is not there", { file: join(dir, name), hint });
};

/**
 * The text of a file of a folder. Throws DataError where it cannot be read, FormatError where it is not UTF-8
 * or larger than `maxBytes`.
 */
export const readText = async (dir: string, name: string, maxBytes = MAX_JSON): Promise<string> => {
  const file = join(dir, name);
  const path = await needFile(dir, name);
  const handle = await open(path).catch((cause) => failed(file, cause));
  try {
    const { size } = await handle.stat();
    if (size > maxBytes) throw new FormatError(`has ${size} bytes; ${maxBytes} are allowed`, { file });
    const bytes = await handle.readFile().catch((cause) => failed(file, cause));
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (cause) {
      throw new FormatError("is not UTF-8", { file, cause });
    }
  } finally {
    await handle.close();
  }
};

/**
 * The JSON of a file of a folder; undefined where it is not there. Throws as `readText`, and FormatError
 * where it is not JSON.
 */
export const readJsonIfThere = async (dir: string, name: string): Promise<Json | undefined> => {
  if (await isGguf(dir)) return ggufJson(dir, name);
  if ((await findFile(dir, name)) === undefined) return undefined;
  const text = await readText(dir, name);
  try {
    return parseText(text) as Json;
  } catch (cause) {
    throw new FormatError(`is not JSON (${(cause as Error).message})`, { file: join(dir, name), cause });
  }
};

/** As `readJsonIfThere`, for a file that must be there. Throws DataError where it is not. */
export const readJson = async (dir: string, name: string): Promise<Json> => {
  const json = await readJsonIfThere(dir, name);
  if (json !== undefined) return json;
  throw new DataError("is not there", { file: join(dir, name), hint });
};
