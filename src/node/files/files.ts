/**
 * Files that are whole or not there: written under a temporary name, flushed, renamed. Errors of the file
 * system become typed ones that name the file and the operation.
 */
import { createHash } from "node:crypto";
import { copyFile, link, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize, relative, resolve } from "node:path";
import { ConfigError, RunError } from "../../util/errors.ts";
import { discard, idAfter, settle, sweep } from "./leftovers.ts";
import { MARKER, type Marker, markerOf } from "./marker.ts";

export { discard } from "./leftovers.ts";
export { MARKER } from "./marker.ts";

/** A file's bytes, piece by piece. */
export type Chunks = Iterable<Uint8Array>;

const hints: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full: make room, then run it again; training goes on with --resume",
  EDQUOT: "the disk quota is used up: make room, then run it again; training goes on with --resume",
  EROFS: "the place is read-only: choose another with --out",
  EACCES: "there is no permission to write there: choose another place with --out",
  EPERM: "there is no permission to write there: choose another place with --out",
  ENOTDIR: "a part of the path is a file: choose another place with --out",
  EEXIST: "a file stands where a folder is needed: choose another place with --out",
  EIO: "the disk or its connection fails: check it, then run it again; training goes on with --resume",
  EMFILE: "too many files are open: raise ulimit -n",
  ENFILE: "too many files are open on this machine: end other programs",
  ENOENT: "no folder can be made there: choose another place with --out",
  ENAMETOOLONG: "the name is too long: choose another place with --out",
  ELOOP: "links lead in a circle: choose another place with --out",
};

/** Runs `work`; an error of the file system becomes a RunError naming `file` and what was done to it. */
export const guarded = async <T>(doing: string, file: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    const hint = hints[code];
    throw new RunError(`${doing} failed (${code})`, { file, cause, ...(hint === undefined ? {} : { hint }) });
  }
};

/** As `guarded`, for work that is done at once. */
export const guardedNow = <T>(doing: string, file: string, work: () => T): T => {
  try {
    return work();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    const hint = hints[code];
    throw new RunError(`${doing} failed (${code})`, { file, cause, ...(hint === undefined ? {} : { hint }) });
  }
};

const made = async (dir: string, lacksParents = true): Promise<void> => {
  try {
    await mkdir(dir);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT" && dirname(dir) !== dir;
    // Some file systems say ENOENT of a folder that they will not have, though those above are there.
    if (missing && lacksParents) {
      await made(dirname(dir));
      return made(dir, false);
    }
    const there = await stat(dir).catch(() => undefined);
    if (there?.isDirectory() !== true) throw error;
  }
};

/** Makes a folder and those above it. Not by mkdir's `recursive`, which says ENOENT of a read-only disk. */
export const makeFolder = (dir: string): Promise<void> =>
  guarded("making the folder", dir, () => made(resolve(dir)));

/** Deletes a file, or a folder with all that is in it; one that is not there is well. Throws RunError. */
export const remove = (path: string): Promise<void> =>
  guarded("deleting", path, () => rm(path, { recursive: true, force: true }));

/** Flushes a folder's entries, so that a rename in it lasts. */
export const syncFolder = async (dir: string): Promise<void> => {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/** Size and hash of a file that was written, the hash in hexadecimal. */
export interface Written {
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Writes and flushes a file, hashing as it goes. */
const writeFlushed = (path: string, chunks: Chunks): Promise<Written> =>
  guarded("writing", path, async () => {
    const hash = createHash("sha256");
    let sizeBytes = 0;
    const handle = await open(path, "w");
    try {
      for (const chunk of chunks) {
        for (let at = 0; at < chunk.byteLength; ) {
          const { bytesWritten } = await handle.write(chunk, at, Math.min(chunk.byteLength - at, 1 << 28));
          // In the same pieces: a hash takes less than 2 GiB at once.
          hash.update(chunk.subarray(at, at + bytesWritten));
          at += bytesWritten;
        }
        sizeBytes += chunk.byteLength;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    return { sizeBytes, sha256: hash.digest("hex") };
  });

/** Replaces a file durably: temporary name, flush, rename, flush of the folder. */
export const writeFileDurable = async (path: string, chunks: Chunks): Promise<void> => {
  const temporary = `${path}.tmp-${process.pid}`;
  await makeFolder(dirname(path));
  await sweep(dirname(path), idAfter(`${basename(path)}.tmp-`));
  try {
    await writeFlushed(temporary, chunks);
    await guarded("renaming", path, () => rename(temporary, path));
    await guarded("flushing", dirname(path), () => syncFolder(dirname(path)));
  } catch (error) {
    await discard(temporary);
    throw error;
  }
};

/** Writes files into a folder that is not in use yet; names may have subfolders but never leave it. */
export const writeInto = async (
  dir: string,
  files: Iterable<readonly [name: string, chunks: Chunks]>,
): Promise<Map<string, Written>> => {
  const written = new Map<string, Written>();
  const folders = new Set([dir]);
  for (const [name, chunks] of files) {
    const path = join(dir, name);
    if (isAbsolute(name) || normalize(name) !== name || !resolve(path).startsWith(`${resolve(dir)}/`)) {
      throw new ConfigError("is a name that leaves the folder", { file: name });
    }
    folders.add(dirname(path));
    await makeFolder(dirname(path));
    written.set(name, await writeFlushed(path, chunks));
  }
  for (const folder of folders) await guarded("flushing", folder, () => syncFolder(folder));
  return written;
};

/**
 * The names in a folder; undefined where nothing is at its path. Throws ConfigError for a file, RunError
 * if unreadable.
 */
export const namesIn = (dir: string): Promise<string[] | undefined> =>
  guarded("reading", dir, () =>
    readdir(dir).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT") return undefined;
      if (cause.code !== "ENOTDIR") throw cause;
      throw new ConfigError("is no folder", { file: dir, cause, hint: "choose another folder with --out" });
    }),
  );

/** The error of a folder with files of the user's own, naming some of them. */
export const foreignFiles = (dir: string, names: readonly string[]): ConfigError => {
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  return new ConfigError(`holds files that anneal did not make: ${names.slice(0, 3).join(", ")}${more}`, {
    file: dir,
    hint: "choose another folder with --out",
  });
};

/** What `anneal verify` adds to a folder, or changes in it. */
const ADDED = [MARKER, "parity.json", "README.md"];

/** The files below a folder that its marker does not name. */
const strangers = async (dir: string, { files }: Marker): Promise<string[]> => {
  if (files === undefined) return [];
  const ours = new Set([...files, ...ADDED]);
  const all = await guarded("reading", dir, () => readdir(dir, { recursive: true, withFileTypes: true }));
  const paths = all.flatMap((entry) =>
    entry.isDirectory() ? [] : [relative(dir, join(entry.parentPath, entry.name)).replaceAll("\\", "/")],
  );
  return paths.filter((path) => !ours.has(path) && !/\.tmp-\d+$/.test(path));
};

/**
 * Whether a model's folder at `dir` would take the place of an earlier one of anneal's. Throws ConfigError
 * where it would take that of anything else, or where the user has put files into it.
 */
export const replaces = async (dir: string): Promise<boolean> => {
  const names = await namesIn(dir);
  if (names === undefined) return false;
  if (names.length === 0) return true;
  const marker = await markerOf(dir);
  if (marker?.kind !== "model") throw foreignFiles(dir, names);
  const found = await strangers(dir, marker);
  if (found.length > 0) throw foreignFiles(dir, found);
  return true;
};

/** Puts `temporary` in the place of `dir`; where that fails, the earlier folder comes back. */
const swap = async (temporary: string, dir: string): Promise<void> => {
  const aside = `${dir}.old-${process.pid}`;
  await remove(aside);
  await guarded("moving aside", dir, () => rename(dir, aside));
  try {
    await guarded("renaming", dir, () => rename(temporary, dir));
  } catch (error) {
    await guarded(`moving back from ${aside}`, dir, () => rename(aside, dir));
    throw error;
  }
  await guarded("flushing", dir, () => syncFolder(dirname(dir)));
  await guarded("deleting", aside, () => rm(aside, { recursive: true, force: true }));
};

/** The marker with the names of all that was written beside it. */
const completed = (marker: Chunks, names: Iterable<string>): Uint8Array => {
  const made = JSON.parse(Buffer.concat(Array.from(marker)).toString("utf8")) as object;
  return Buffer.from(`${JSON.stringify({ ...made, kind: "model", files: Array.from(names) }, null, 2)}\n`);
};

/** Files that are elsewhere already, by the name that they get: the same on disk where that can be. */
export type Links = ReadonlyMap<string, string>;

const linkInto = (dir: string, links: Links): Promise<void> =>
  guarded("linking", dir, async () => {
    for (const [name, from] of links) {
      const to = join(dir, name);
      await link(from, to).catch(() => copyFile(from, to));
    }
  });

/** Writes files, and after them the marker, where it is among them. */
const writeMarked = async (
  dir: string,
  files: Iterable<readonly [name: string, chunks: Chunks]>,
  links: Links,
): Promise<void> => {
  let marker: Chunks | undefined;
  const others = function* () {
    for (const [name, chunks] of files) {
      if (name === MARKER) marker = chunks;
      else yield [name, chunks] as const;
    }
  };
  const written = await writeInto(dir, others());
  await linkInto(dir, links);
  const names = [...written.keys(), ...links.keys()];
  if (marker !== undefined) await writeInto(dir, [[MARKER, [completed(marker, names)]]]);
};

/**
 * Writes a whole folder: built beside its place, then renamed into it. An earlier folder of anneal's own
 * is replaced; anything else there is left alone. `links` names files of other folders that belong there too.
 * Throws ConfigError for what is in the way, RunError where writing fails.
 */
export const writeFolder = async (
  dir: string,
  files: Iterable<readonly [name: string, chunks: Chunks]>,
  links: Links = new Map(),
): Promise<void> => {
  const place = resolve(dir);
  await settle(place);
  const existed = await replaces(place);
  const temporary = `${place}.tmp-${process.pid}`;
  try {
    await makeFolder(temporary);
    await writeMarked(temporary, files, links);
    if (existed) return await swap(temporary, place);
    await guarded("renaming", place, () => rename(temporary, place));
    await guarded("flushing", place, () => syncFolder(dirname(place)));
  } finally {
    await discard(temporary);
  }
};
