/**
 * The files below a folder, through links: the cache of Hugging Face is a tree of links to files that are
 * kept elsewhere (https://huggingface.co/docs/huggingface_hub/guides/manage-cache).
 */
import type { Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "../../util/errors.ts";

/** A file, and where it really is. */
export interface WalkedFile {
  readonly path: string;
  /** Where it is, links followed. */
  readonly real: string;
}

/** What is below a folder. */
export interface Walked {
  readonly files: readonly WalkedFile[];
  /** Links that lead nowhere, or round in a circle. */
  readonly dangling: readonly string[];
  /** Pipes, sockets, devices. */
  readonly special: readonly string[];
}

const entriesOf = async (dir: string): Promise<Dirent[]> => {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new DataError(`cannot be read (${code})`, { file: dir, cause });
  }
};

const isPassedOver = (name: string): boolean => name.startsWith(".") || name === "node_modules";

/**
 * All files below `root` but for hidden ones and node_modules. A folder is entered once, by its own path
 * before any link to it. Throws DataError for a folder that cannot be read.
 */
export const walk = async (root: string): Promise<Walked> => {
  const files: WalkedFile[] = [];
  const dangling: string[] = [];
  const special: string[] = [];
  const entered = new Set<string>();
  const folders: WalkedFile[] = [{ path: root, real: await realpath(root) }];
  const linked: WalkedFile[] = [];
  const follow = async (path: string): Promise<void> => {
    const real = await realpath(path).catch(() => undefined);
    const info = real === undefined ? undefined : await stat(real).catch(() => undefined);
    if (info === undefined) dangling.push(path);
    else if (info.isDirectory()) linked.push({ path, real: real! });
    else if (info.isFile()) files.push({ path, real: real! });
    else special.push(path);
  };
  for (let at = folders.pop() ?? linked.shift(); at !== undefined; at = folders.pop() ?? linked.shift()) {
    if (entered.has(at.real)) continue;
    entered.add(at.real);
    for (const entry of await entriesOf(at.path)) {
      if (isPassedOver(entry.name)) continue;
      const path = join(at.path, entry.name);
      const real = join(at.real, entry.name);
      if (entry.isDirectory()) folders.push({ path, real });
      else if (entry.isFile()) files.push({ path, real });
      else if (entry.isSymbolicLink()) await follow(path);
      else special.push(path);
    }
  }
  return { files, dangling, special };
};
