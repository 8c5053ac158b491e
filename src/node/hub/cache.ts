/**
 * The Hugging Face Hub's names, and its cache on disk as all its libraries share it
 * (https://huggingface.co/docs/huggingface_hub/guides/manage-cache): `models--ORG--NAME` with the files' bytes
 * in `blobs` by their hash, links to them in `snapshots/COMMIT`, and commits by branch or tag in `refs`.
 */
import { copyFile, readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { decodeIndex } from "../../formats/safetensors/safetensorsIndex.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import { guarded, makeFolder, remove } from "../files/files.ts";
import { ggufIn } from "../model/ggufFile.ts";
import { findFile, readText } from "../model/modelFile.ts";
import { INDEX, SINGLE } from "../model/weights.ts";

/** A model of the Hub, and the branch, tag or commit of it. */
export interface HubRef {
  readonly id: string;
  readonly revision: string;
  /** The GGUF file of several, or the ending of its name. */
  readonly gguf?: string;
}

const PART = "[A-Za-z0-9](?:[\\w.-]{0,94}[A-Za-z0-9_])?";
const ID = new RegExp(`^${PART}/${PART}$`);
const REVISION = /^\w(?:[\w./+-]{0,254}\w)?$/;
const GGUF = /^\w(?:[\w.-]{0,200}\w)?$/;
const COMMIT = /^[0-9a-f]{40}$/;

/** Whether `text` is the full hash of a commit. */
export const isCommit = (text: string): boolean => COMMIT.test(text);

const odd = (text: string): boolean => /\.\.|--|\/\/|\/\.|\.\/|\.lock$|\.git$/.test(text);

/**
 * "org/name", "org/name@revision" or "org/name:file.gguf" (with "@revision") as its parts; `revision` is
 * for a reference that names none. Throws ConfigError for what the Hub would not take, and so for every name
 * that could leave the cache's folder.
 */
export const parseHubRef = (ref: string, revision = "main"): HubRef => {
  const at = ref.indexOf("@");
  const [id = "", gguf] = (at < 0 ? ref : ref.slice(0, at)).split(/:(.*)/s);
  const named = at < 0 ? revision : ref.slice(at + 1);
  if (!ID.test(id) || odd(id) || (gguf !== undefined && (!GGUF.test(gguf) || odd(gguf)))) {
    throw new ConfigError(`${JSON.stringify(ref)} is no folder, and no model of the Hub`, {
      hint: "name a folder that is there, or a model as org/name or org/name@revision",
    });
  }
  if (!REVISION.test(named) || odd(named)) {
    throw new ConfigError(`is ${JSON.stringify(named)}, which is no branch, tag or commit`, {
      field: "revision",
    });
  }
  return gguf === undefined ? { id, revision: named } : { id, revision: named, gguf };
};

/** The folder of a model in the cache. */
export const repoFolder = (cacheDir: string, { id }: HubRef): string =>
  join(cacheDir, `models--${id.replace("/", "--")}`);

/** The folder of a commit's files, below that of the repository. */
export const snapshotFolder = (repo: string, commit: string): string => join(repo, "snapshots", commit);

/** The commit that the cache has for a revision; undefined where it has none. */
export const cachedCommit = async (repo: string, revision: string): Promise<string | undefined> => {
  if (isCommit(revision)) return revision;
  const text = await readFile(join(repo, "refs", revision), "utf8").catch(() => "");
  return isCommit(text.trim()) ? text.trim() : undefined;
};

/** Notes that `revision` is at `commit`. */
export const writeRef = async (repo: string, revision: string, commit: string): Promise<void> => {
  if (isCommit(revision)) return;
  const path = join(repo, "refs", revision);
  await makeFolder(dirname(path));
  await guarded("writing", path, async () => {
    await writeFile(`${path}.tmp-${process.pid}`, commit);
    await rename(`${path}.tmp-${process.pid}`, path);
  });
};

/** Puts a blob into a snapshot under a file's name: as a link, or as a copy where links are not allowed. */
export const linkBlob = async (repo: string, commit: string, name: string, etag: string): Promise<void> => {
  const path = join(snapshotFolder(repo, commit), name);
  await makeFolder(dirname(path));
  await remove(path);
  const blob = join(repo, "blobs", etag);
  const linked = symlink(relative(dirname(path), blob), path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EPERM" && cause.code !== "EACCES") throw cause;
    return copyFile(blob, path);
  });
  await guarded("linking", path, () => linked);
};

/** Names of the files that a snapshot lacks of what a model cannot do without. */
export const missingFrom = async (snapshot: string, gguf?: string): Promise<string[]> => {
  const file = await ggufIn(snapshot, gguf).catch((error) => {
    if (!(error instanceof DataError)) throw error;
    return gguf === undefined ? undefined : "";
  });
  if (file !== undefined) return file === "" ? [gguf!] : [];
  const has = async (name: string): Promise<boolean> => (await findFile(snapshot, name)) !== undefined;
  const missing = (await has("config.json")) ? [] : ["config.json"];
  if (await has(SINGLE)) return missing;
  if (!(await has(INDEX))) return [...missing, SINGLE];
  const index = decodeIndex(await readText(snapshot, INDEX), join(snapshot, INDEX));
  for (const name of new Set(index.values())) if (!(await has(name))) missing.push(name);
  return missing;
};

/** The folder of a repository that the cache has whole by `missingOf`. Throws DataError for what it lacks. */
export const cachedSnapshot = async (
  cacheDir: string,
  ref: HubRef,
  missingOf: typeof missingFrom = missingFrom,
): Promise<string> => {
  const repo = repoFolder(cacheDir, ref);
  const hint = "run once without --offline to fetch it";
  const commit = await cachedCommit(repo, ref.revision);
  const snapshot = commit === undefined ? undefined : snapshotFolder(repo, commit);
  const found = snapshot === undefined ? undefined : await stat(snapshot).catch(() => undefined);
  if (snapshot === undefined || found?.isDirectory() !== true) {
    throw new DataError(`the cache has no revision ${ref.revision} of ${ref.id}`, { file: repo, hint });
  }
  const missing = await missingOf(snapshot, ref.gguf);
  if (missing.length === 0) return snapshot;
  throw new DataError(`the cache lacks ${missing.join(", ")} of ${ref.id}`, { file: snapshot, hint });
};
