/**
 * Models and adapters by name: a folder of this machine, or a repository of the Hugging Face Hub, of which
 * the files that are needed go into the cache that all Hugging Face libraries share. Only data is fetched.
 */
import { stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { ConfigError, DataError, MissingError } from "../../util/errors.ts";
import { makeFolder } from "../files/files.ts";
import { lockRun } from "../files/lock.ts";
import { type LoadFolderOptions, loadFolder, type ModelFolder } from "../model/folder.ts";
import { ggufIn, isGguf } from "../model/ggufFile.ts";
import { modelOfRun } from "../model/runFolder.ts";
import { cachedSnapshot, type HubRef, isCommit, parseHubRef, repoFolder, snapshotFolder } from "./cache.ts";
import type { HubLibrary } from "./download.ts";
import { adapterRepo, fetchSnapshot, modelRepo, type RepoKind } from "./fetching.ts";
import type { OnProgress } from "./progress.ts";

/** Which files of the Hub, and how they are reached. */
export interface HubOptions {
  /** Folder of the cache; that of all Hugging Face libraries unless told. */
  readonly cacheDir?: string;
  /** For private and gated models: "hf_...". */
  readonly token?: string;
  /** Ask nobody: what the cache does not have is an error. */
  readonly offline?: boolean;
  /** Branch, tag or commit for a reference that names none. */
  readonly revision?: string;
  readonly hubUrl?: string;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** The cache's folder where nothing else is told. */
export const defaultCacheDir = (): string => join(homedir(), ".cache", "huggingface", "hub");

const hubLibrary = async (): Promise<HubLibrary> => {
  try {
    return await import("@huggingface/hub");
  } catch (cause) {
    throw new MissingError("@huggingface/hub is not installed", {
      cause,
      hint: "npm install @huggingface/hub",
    });
  }
};

/** A commit that the cache has whole cannot have changed. */
const settled = async (
  repo: string,
  { revision, gguf }: HubRef,
  kind: RepoKind,
): Promise<string | undefined> => {
  if (!isCommit(revision)) return undefined;
  const snapshot = snapshotFolder(repo, revision);
  const found = await stat(snapshot).catch(() => undefined);
  return found?.isDirectory() && (await kind.missing(snapshot, gguf)).length === 0 ? snapshot : undefined;
};

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() === true;

/** The snapshot, or the GGUF file in it that is meant. */
const inSnapshot = async (snapshot: string, { gguf }: HubRef): Promise<string> =>
  (await ggufIn(snapshot, gguf)) ?? snapshot;

/** The snapshot of a repository of the Hub in the cache, fetched where it is not there. */
const repoSnapshot = async (hubRef: HubRef, options: HubOptions, kind: RepoKind): Promise<string> => {
  const { cacheDir = defaultCacheDir(), offline = false, hubUrl, token, signal } = options;
  if (offline) return cachedSnapshot(cacheDir, hubRef, kind.missing);
  if (token !== undefined && !/^hf_\w+$/.test(token)) {
    throw new ConfigError("is no token of the Hub, which begins with hf_", { field: "token" });
  }
  const repo = repoFolder(cacheDir, hubRef);
  const there = await settled(repo, hubRef, kind);
  if (there !== undefined) return there;
  await makeFolder(repo);
  const unlock = await lockRun(join(cacheDir, ".locks", basename(repo)));
  try {
    const given = { ...(hubUrl && { hubUrl }), ...(token && { token }), ...(signal && { signal }) };
    const access = { library: await hubLibrary(), ...hubRef, ...given };
    return await fetchSnapshot(access, repo, kind, options.onProgress);
  } finally {
    await unlock();
  }
};

/** Throws DataError for what can only be a path, where nothing is. */
const refuseMissingPath = (ref: string, what: string): void => {
  if (!/^(\.{0,2}[/\\]|~|[A-Za-z]:)/.test(ref) && ref.includes("/")) return;
  throw new DataError("is no folder", {
    file: ref,
    hint: `name ${what}'s folder, or one of the Hub as org/name`,
  });
};

/**
 * The folder or GGUF file of a model: `ref` itself where it is one, the model of a run, the GGUF file in
 * it where a folder has no other weights, else that of the Hub's model "org/name", "org/name@revision" or
 * "org/name:file.gguf" in the cache, fetched where it is not there. Throws ConfigError for a name that is
 * neither, DataError where the Hub or the cache does not have it, RunError without network, FormatError
 * for damaged and pickled weights, BusyError while another process fetches the same model.
 */
export const modelDir = async (ref: string, options: HubOptions = {}): Promise<string> => {
  if (await isGguf(ref)) return ref;
  if (await isFolder(ref)) return (await modelOfRun(ref)) ?? (await ggufIn(ref)) ?? ref;
  refuseMissingPath(ref, "a model");
  const hubRef = parseHubRef(ref, options.revision);
  return inSnapshot(await repoSnapshot(hubRef, options, modelRepo), hubRef);
};

/**
 * The folders of adapters: `refs` themselves where they are folders, else those of the Hub's adapters
 * "org/name" or "org/name@revision" in the cache. Throws as `modelDir`.
 */
export const adapterDirs = async (
  refs: readonly string[],
  { revision: _, ...options }: HubOptions = {},
): Promise<string[]> => {
  const dirs: string[] = [];
  for (const ref of refs) {
    if (!(await isFolder(ref))) refuseMissingPath(ref, "an adapter");
    dirs.push((await isFolder(ref)) ? ref : await repoSnapshot(parseHubRef(ref), options, adapterRepo));
  }
  return dirs;
};

/** Loads the model that `ref` names, with its tokenizer. Throws as `modelDir` and `loadFolder` do. */
export const openModel = async (
  ref: string,
  options: HubOptions & LoadFolderOptions = {},
): Promise<ModelFolder> => {
  const dir = await modelDir(ref, options);
  return loadFolder(dir, { ...options, adapters: await adapterDirs(options.adapters ?? [], options) });
};
