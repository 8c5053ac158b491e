/** Results of anneal's own among the files of the user's input: what a run wrote is no text to read again. */
import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { ConfigError, DataError } from "../../util/errors.ts";
import { isRemote } from "../read/parquet/remote.ts";
import { MARKER, markerOf } from "./marker.ts";

const realOf = (path: string): Promise<string> => realpath(path).catch(() => resolve(path));

/** The folders below `root` that bear anneal's marker, of all the files there. */
const resultsAmong = async (files: readonly string[], root: string): Promise<string[]> => {
  const folders: string[] = [];
  for (const file of files) {
    const dir = dirname(file);
    if (basename(file) === MARKER && resolve(dir) !== resolve(root) && (await markerOf(dir)) !== undefined) {
      folders.push(dir);
    }
  }
  return folders;
};

const TRAIN = /^train\.(jsonl|jsonl\.gz|parquet)$/;

/**
 * The files of a folder that are the user's: those in folders that anneal made are passed over, which
 * `onPassed` is told of. Of a folder of prepared documents, named as such, they are those to train on. Throws
 * DataError of a folder that anneal made and that holds no documents.
 */
export const usersFiles = async (
  files: readonly string[],
  root: string,
  onPassed: (dir: string) => void = () => {},
): Promise<readonly string[]> => {
  const marker = await markerOf(root);
  if (marker !== undefined) {
    const documents = (marker.files ?? []).filter((name) => TRAIN.test(name));
    if (documents.length > 0) return documents.map((name) => join(root, name));
    const what = {
      model: "a model",
      run: "a run's checkpoints",
      data: "tokens, not documents",
      sweep: "trials",
    }[marker.kind];
    throw new DataError(`holds ${what} that anneal made`, {
      file: root,
      hint: "name the text that it was made of, or train on tokens with: anneal train --data DIR",
    });
  }
  const folders = await resultsAmong(files, root);
  for (const dir of folders) onPassed(dir);
  return files.filter((file) => !folders.some((dir) => file.startsWith(`${dir}${sep}`)));
};

/** The files of a glob without those in the folder `out`, which is written. */
export const filesOutside = async (files: readonly string[], out?: string): Promise<readonly string[]> => {
  if (out === undefined) return files;
  const real = `${await realOf(out)}${sep}`;
  return files.filter((file) => !`${resolve(file)}`.startsWith(real));
};

/**
 * Of the paths that the user names, those that are not the folder `out`, which is written: a shell's `*`
 * names it too. Throws ConfigError where a path leads into it.
 */
export const pathsOutside = async (
  paths: readonly string[],
  { out, onPassed }: { readonly out?: string; readonly onPassed?: (dir: string) => void },
): Promise<readonly string[]> => {
  if (out === undefined) return paths;
  const real = await realOf(out);
  const kept: string[] = [];
  for (const path of paths) {
    const place = isRemote(path) ? "" : await realOf(path);
    if (paths.length > 1 && place === real) onPassed?.(path);
    else if (place === real || place.startsWith(`${real}${sep}`)) {
      throw new ConfigError("lies in the folder of the result, which is written anew", {
        file: path,
        hint: "choose another folder with --out",
      });
    } else kept.push(path);
  }
  return kept;
};
