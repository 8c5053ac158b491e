/** The files that paths, folders, globs and addresses name, with what identifies them. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { DataError } from "../../util/errors.ts";
import { nearest } from "../../util/nearest.ts";
import { filesOutside, pathsOutside, usersFiles } from "../files/results.ts";
import { type Walked, walk } from "../files/walk.ts";
import { isRemote, remoteFiles } from "./parquet/remote.ts";

/** A file to be read, with what identifies it. */
export interface InputFile {
  readonly path: string;
  /** Where it stands below the path that named it: the same wherever the data lies. */
  readonly name: string;
  /** 0 for a remote file. */
  readonly sizeBytes: number;
  /** Of the bytes as they stand on disk, in hexadecimal. */
  readonly sha256?: string;
}

/** The kind that a file's name tells: its ending in lower case, without .gz or .zst. */
export const kindOf = (path: string): string => {
  // Of an address, what stands behind ? and # is no part of the name.
  const name = basename(isRemote(path) ? path.replace(/[?#].*$/, "") : path);
  return /\.([a-z]+)(?:\.(?:gz|zst))?$/i.exec(name)?.[1]?.toLowerCase() ?? "";
};

/** Files of one kind that were not read. */
export interface LeftOut {
  /** What they are, in words. */
  readonly kind: string;
  readonly count: number;
}

const PACKED = /\.[a-z0-9]{1,10}\.(?:gz|zst|bz2|xz|lz4|br|zip|7z)$/i;

/** An unknown kind: the ending of a name, with that before it where it is of a packing. */
const endingOf = (path: string): string => {
  const ending = (PACKED.exec(path) ?? /\.[a-z0-9]{1,10}$/i.exec(basename(path)))?.[0];
  return ending?.toLowerCase() ?? "without an ending";
};

/** What was left out, counted by kind, the most first. */
const counted = (kinds: readonly string[]): LeftOut[] => {
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return Array.from(counts, ([kind, count]) => ({ kind, count })).sort(
    (a, b) => b.count - a.count || (a.kind < b.kind ? -1 : 1),
  );
};

/** "3 .log, 1 without an ending". */
export const shownKinds = (left: readonly LeftOut[]): string =>
  left.map(({ kind, count }) => `${count} ${kind}`).join(", ");

const missing = async (path: string): Promise<DataError> => {
  const link = await lstat(path).catch(() => undefined);
  if (link?.isSymbolicLink()) {
    const hint = "get what it leads to, or leave it out";
    return new DataError("is a link that leads nowhere", { file: path, hint });
  }
  const names = await readdir(dirname(path)).catch(() => [] as string[]);
  const near = nearest(basename(path), names);
  const hint = near === undefined ? "check the path" : `did you mean ${join(dirname(path), near)}?`;
  return new DataError("there is no such file or folder", { file: path, hint });
};

/** Which files of folders and globs are taken. */
export interface ListOptions {
  /** Which files of a folder or glob are taken. */
  readonly accept: (path: string) => boolean;
  /** The endings that are known, for the message. */
  readonly kinds: readonly string[];
  /** Whether sha256 is found, which reads each local file whole. */
  readonly hash?: boolean;
  /** The folder that is written, none of which is read. */
  readonly out?: string;
  /** Told of each folder that anneal made and that is passed over. */
  readonly onPassed?: (dir: string) => void;
  /** Told of the files of a folder or glob that are not read. */
  readonly onLeftOut?: (path: string, left: readonly LeftOut[]) => void;
}

const globbed = async (pattern: string): Promise<Walked> => {
  const absolute = pattern.startsWith("/");
  const options = { onlyFiles: true, followSymbolicLinks: true, expandDirectories: false } as const;
  const found = await glob(pattern, { ...options, absolute });
  const paths = found.map((path) => (absolute ? path : relative(".", path)));
  const files = await Promise.all(
    paths.map(async (path) => ({ path, real: await realpath(path).catch(() => resolve(path)) })),
  );
  return { files, dangling: [], special: [] };
};

/** What `path` is: a folder, or not. Throws DataError for what is neither a file, a folder nor a pattern. */
const infoOf = async (path: string) => {
  const info = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR" || isDynamicPattern(path)) return undefined;
    throw new DataError(`cannot be read (${cause.code})`, { file: path, cause });
  });
  if (info !== undefined && !info.isFile() && !info.isDirectory())
    throw new DataError("is neither a file nor a folder", { file: path });
  if (info === undefined && !isDynamicPattern(path)) throw await missing(path);
  return info;
};

/** What of a folder is not read though it is the user's: files of other kinds, and links to nothing. */
const leftOut = (
  { files, dangling, special }: Walked,
  theirs: ReadonlySet<string>,
  { accept, kinds }: ListOptions,
): LeftOut[] => {
  const read = new Set(files.flatMap(({ path, real }) => (accept(path) ? [real] : [])));
  const others = files.filter(({ path, real }) => theirs.has(path) && !accept(path) && !read.has(real));
  const named = others.map(({ path }) =>
    kinds.includes(kindOf(path)) ? "of settings (.json)" : endingOf(path),
  );
  const links = dangling.map(() => "links that lead nowhere");
  return counted([...named, ...links, ...special.map(() => "pipes or devices")]);
};

/**
 * The files that `path` names, in a fixed order. A folder's node_modules and hidden files are passed over.
 */
const filesOf = async (path: string, list: ListOptions): Promise<readonly string[]> => {
  const { accept, kinds, out, onPassed, onLeftOut } = list;
  if (isRemote(path)) return remoteFiles(path);
  const info = await infoOf(path);
  if (info?.isFile()) return [path];
  const walked = info?.isDirectory() ? await walk(path) : await globbed(path);
  const found = walked.files.map((file) => file.path);
  let passed = false;
  const theirs = info?.isDirectory()
    ? await usersFiles(found, path, (dir) => {
        passed = true;
        onPassed?.(dir);
      })
    : await filesOutside(found, out);
  const files = theirs.filter(accept).sort();
  const left = leftOut(walked, new Set(theirs), list);
  if (files.length === 0 && !passed) {
    const others = left.length === 0 ? "" : ` (${shownKinds(left)})`;
    throw new DataError(`has no file that can be read${others}`, {
      file: path,
      hint: `known kinds: ${kinds.join(", ")}, each also as .gz or .zst`,
    });
  }
  if (left.length > 0) onLeftOut?.(path, left);
  return files;
};

const hashOf = async (path: string): Promise<string> => {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (cause) {
    throw new DataError(`cannot be read (${(cause as NodeJS.ErrnoException).code})`, { file: path, cause });
  }
  return hash.digest("hex");
};

/**
 * The folder whose files are named from it: a folder itself, the fixed part of a glob, a file's own folder.
 */
const rootOf = async (path: string): Promise<string> => {
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory()) return path;
  if (info !== undefined || !isDynamicPattern(path)) return dirname(path);
  const parts = path.split("/");
  const fixed = parts
    .slice(
      0,
      parts.findIndex((part) => isDynamicPattern(part)),
    )
    .join("/");
  return fixed === "" ? (path.startsWith("/") ? "/" : ".") : fixed;
};

const described = async (file: string, root: string, hash: boolean): Promise<InputFile> => {
  if (isRemote(file)) return { path: file, name: file, sizeBytes: 0 };
  const { size } = await stat(file).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`cannot be read (${cause.code})`, { file, cause });
  });
  const name = relative(root, file).replaceAll("\\", "/");
  return { path: file, name, sizeBytes: size, ...(hash ? { sha256: await hashOf(file) } : {}) };
};

/** Two files of one name, of different paths, are told apart by a number. */
const distinct = (files: readonly InputFile[]): InputFile[] => {
  const seen = new Map<string, number>();
  return files.map((file) => {
    const before = seen.get(file.name) ?? 0;
    seen.set(file.name, before + 1);
    return before === 0 ? file : { ...file, name: `${file.name}~${before + 1}` };
  });
};

/** The files that `paths` name, once each, path after path. Throws DataError. */
export const listFiles = async (paths: readonly string[], options: ListOptions): Promise<InputFile[]> => {
  if (paths.length === 0)
    throw new DataError("no paths were given", { hint: "name files or folders with --data" });
  const seen = new Set<string>();
  const files: InputFile[] = [];
  for (const path of await pathsOutside(paths, options)) {
    const root = isRemote(path) ? "" : await rootOf(path);
    for (const file of await filesOf(path, options)) {
      // Two paths may name the same file, links too: it is read once.
      const place = isRemote(file) ? file : await realpath(file).catch(() => resolve(file));
      if (seen.has(place)) continue;
      seen.add(place);
      files.push(await described(file, root, options.hash ?? false));
    }
  }
  if (files.length > 0) return distinct(files);
  throw new DataError("holds nothing but what anneal made", {
    file: paths.join(", "),
    hint: "name the text that it was made of",
  });
};
