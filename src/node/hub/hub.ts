/**
 * Models by name: a folder of this machine, or a model of the Hugging Face Hub, of which the files that are
 * needed go into the cache that all Hugging Face libraries share. Nothing of a model but data is fetched.
 */
import { mkdir, stat, statfs } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { decodeIndex } from "../../formats/safetensors/safetensorsIndex.ts";
import { architectureOf } from "../../models/checkpoint/config.ts";
import { MODULES } from "../../models/checkpoint/sentenceModules.ts";
import { ConfigError, DataError, FormatError, MissingError, RunError } from "../../util/errors.ts";
import { makeFolder } from "../files/files.ts";
import { lockRun } from "../files/lock.ts";
import { type LoadFolderOptions, loadFolder, type ModelFolder } from "../model/folder.ts";
import { ggufAmong, ggufIn, isGguf } from "../model/ggufFile.ts";
import { readJson, readText } from "../model/modelFile.ts";
import { INDEX, refuseForeignWeights, SHARD, SINGLE } from "../model/weights.ts";
import {
  cachedSnapshot,
  type HubRef,
  isCommit,
  linkBlob,
  missingFrom,
  parseHubRef,
  repoFolder,
  snapshotFolder,
  writeRef,
} from "./cache.ts";
import {
  callOptions,
  downloadBlob,
  type HubAccess,
  type HubLibrary,
  hasBlob,
  hubError,
  type RemoteFile,
} from "./download.ts";
import { moduleFiles, remoteFolder } from "./listing.ts";

/** How far a download is. */
export interface HubProgress {
  readonly file: string;
  /** Of all files, with those that the cache already had. */
  readonly receivedBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSec: number;
}

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
  readonly onProgress?: (progress: HubProgress) => void;
  readonly signal?: AbortSignal;
}

/** The cache's folder where nothing else is told. */
export const defaultCacheDir = (): string => join(homedir(), ".cache", "huggingface", "hub");

/** For people: left where they are larger than text is. */
const TEXTS = ["README.md", "LICENSE", "LICENSE.txt", "LICENSE.md"];
const MAX_TEXT = 2 ** 20;

/** Files that say how to read a model, besides its weights, and what else goes along with it. */
const CONFIGS = new Set([
  ...["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"],
  ...["special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt"],
  ...["spiece.model", "tokenizer.model", "sentencepiece.bpe.model", "spm.model", "source.spm", "target.spm"],
  ...["chat_template.jinja", "chat_template.json", INDEX],
  ...[MODULES, "config_sentence_transformers.json", "sentence_bert_config.json", ...TEXTS],
]);

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

const commitOf = async (access: HubAccess): Promise<string> => {
  const { library, id, revision } = access;
  const info = await library
    .modelInfo({ ...callOptions(access), name: id, revision, additionalFields: ["sha"] })
    .catch((cause) => {
      throw hubError(access, "the model", cause);
    });
  if (typeof info.sha === "string" && isCommit(info.sha)) return info.sha;
  throw new FormatError("is no commit", { file: `${id}@${revision}`, field: "sha" });
};

const decimal = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;

const checkDisk = async (repo: string, needed: number): Promise<void> => {
  const { bavail, bsize } = await statfs(repo);
  if (needed <= bavail * bsize) return;
  throw new RunError(`the download needs ${decimal(needed)} of disk, ${decimal(bavail * bsize)} are free`, {
    file: repo,
    hint: "make room, or choose another cache with HF_HOME",
  });
};

/** Tells `onProgress` of bytes at most ten times a second, and of each file's first and last. */
const meterOf = (expectedBytes: number, onProgress: HubOptions["onProgress"]) => {
  const start = performance.now();
  let totalBytes = expectedBytes;
  let [received, fetched, told, current] = [0, 0, 0, ""];
  const tell = (file: string, force: boolean): void => {
    const now = performance.now();
    if (onProgress === undefined || fetched === 0) return;
    if (!force && file === current && now - told < 100) return;
    [told, current] = [now, file];
    const bytesPerSec = fetched / Math.max((now - start) / 1000, 1e-3);
    onProgress({ file, receivedBytes: Math.min(received, totalBytes), totalBytes, bytesPerSec });
  };
  return {
    add: (file: string, bytes: number): void => {
      received += bytes;
      fetched += bytes;
      // The whole is told of once, when its last file has been checked.
      if (received < totalBytes) tell(file, false);
    },
    /** The file is whole, after files of so many bytes in all. */
    finish: (file: string, bytes: number): void => {
      received = bytes;
      tell(file, true);
    },
    expect: (bytes: number): void => {
      totalBytes = bytes;
    },
  };
};

const bytesOf = (files: readonly RemoteFile[]): number =>
  files.reduce((sum, file) => sum + file.sizeBytes, 0);

type Fetch = (files: readonly RemoteFile[]) => Promise<void>;

/** Brings files into the snapshot, one after the other. */
const fetcher = (
  access: HubAccess,
  repo: string,
  commit: string,
  meter: ReturnType<typeof meterOf>,
): Fetch => {
  let done = 0;
  return async (files) => {
    for (const file of files) {
      if (!(await hasBlob(repo, file))) {
        const onBytes = (bytes: number) => meter.add(file.name, bytes);
        await downloadBlob({ access, file, commit, repo, onBytes });
      }
      await linkBlob(repo, commit, file.name, file.etag);
      done += file.sizeBytes;
      meter.finish(file.name, done);
    }
  };
};

/** The weights' files by the list, and by the index where it is there. Throws for pickles and for gaps. */
const weightFiles = async (
  access: HubAccess,
  files: ReadonlyMap<string, RemoteFile>,
  snapshot: string,
): Promise<RemoteFile[]> => {
  const single = files.get(SINGLE);
  if (single !== undefined) return [single];
  const where = `${access.id}@${access.revision}`;
  if (!files.has(INDEX)) {
    refuseForeignWeights(files.keys(), where);
    throw new DataError(`has no ${SINGLE}`, { file: where, hint: "choose a model that has safetensors" });
  }
  const index = decodeIndex(await readText(snapshot, INDEX), join(snapshot, INDEX));
  return Array.from(new Set(index.values()), (name) => {
    const file = files.get(name);
    if (file !== undefined) return file;
    throw new FormatError("is named by the index and is not in the repository", { file: `${where}/${name}` });
  });
};

/** Files that say how to read the model, and those that its weights are probably in. */
const split = (access: HubAccess, files: ReadonlyMap<string, RemoteFile>) => {
  if (!files.has("config.json")) {
    throw new DataError("has no config.json", {
      file: `${access.id}@${access.revision}`,
      hint: "choose a model for transformers; adapters and other formats are not read",
    });
  }
  const single = files.get(SINGLE);
  const all = [...files.values()];
  return {
    small: all.filter(
      ({ name, sizeBytes }) =>
        CONFIGS.has(name) &&
        !(name === INDEX && single !== undefined) &&
        !(TEXTS.includes(name) && sizeBytes > MAX_TEXT),
    ),
    likely: single === undefined ? all.filter(({ name }) => SHARD.test(name)) : [single],
  };
};

/** Of a repository whose weights are GGUF files, the one that is to be fetched, and nothing else. */
const splitGguf = (access: HubAccess, files: ReadonlyMap<string, RemoteFile>) => {
  const name = ggufAmong([...files.keys()], `${access.id}@${access.revision}`, access.gguf);
  return name === undefined ? undefined : { small: [], likely: [files.get(name)!] };
};

const fetchSnapshot = async (access: HubAccess, repo: string, options: HubOptions): Promise<string> => {
  const commit = await commitOf(access);
  const snapshot = snapshotFolder(repo, commit);
  const { files, folders } = await remoteFolder(access, commit);
  const gguf = splitGguf(access, files);
  const { small, likely } = gguf ?? split(access, files);
  await mkdir(join(repo, "blobs"), { recursive: true });
  const meter = meterOf(bytesOf(small) + bytesOf(likely), options.onProgress);
  const fetchAll = fetcher(access, repo, commit, meter);
  // Small files first: what cannot be used is refused before its weights are fetched.
  await fetchAll(small);
  const named = small.some(({ name }) => name === MODULES) ? await readJson(snapshot, MODULES) : [];
  const modules = await moduleFiles(access, commit, { modules: named, folders });
  await fetchAll(modules);
  if (gguf === undefined) architectureOf(await readJson(snapshot, "config.json"), `${access.id}/config.json`);
  const large = gguf?.likely ?? (await weightFiles(access, files, snapshot));
  meter.expect(bytesOf([...small, ...modules, ...large]));
  const there = await Promise.all(large.map((file) => hasBlob(repo, file)));
  await checkDisk(repo, bytesOf(large.filter((_, i) => !there[i])));
  await fetchAll(large);
  await writeRef(repo, access.revision, commit);
  return snapshot;
};

/** A commit that the cache has whole cannot have changed. */
const settled = async (repo: string, { revision, gguf }: HubRef): Promise<string | undefined> => {
  if (!isCommit(revision)) return undefined;
  const snapshot = snapshotFolder(repo, revision);
  const found = await stat(snapshot).catch(() => undefined);
  return found?.isDirectory() && (await missingFrom(snapshot, gguf)).length === 0 ? snapshot : undefined;
};

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() === true;

/** The snapshot, or the GGUF file in it that is meant. */
const inSnapshot = async (snapshot: string, { gguf }: HubRef): Promise<string> =>
  (await ggufIn(snapshot, gguf)) ?? snapshot;

/**
 * The folder or GGUF file of a model: `ref` itself where it is one, the GGUF file in it where a folder has no
 * other weights, else that of the Hub's model "org/name", "org/name@revision" or "org/name:file.gguf" in the
 * cache, fetched where it is not there. Throws ConfigError for a name that is neither, DataError where the
 * Hub or the cache does not have it, RunError without network, FormatError for damaged and pickled weights,
 * BusyError while another process fetches the same model.
 */
export const modelDir = async (ref: string, options: HubOptions = {}): Promise<string> => {
  if (await isGguf(ref)) return ref;
  if (await isFolder(ref)) return (await ggufIn(ref)) ?? ref;
  if (/^(\.{0,2}[/\\]|~|[A-Za-z]:)/.test(ref) || !ref.includes("/")) {
    throw new DataError("is no folder", { file: ref, hint: "name a model's folder, or a model as org/name" });
  }
  const hubRef = parseHubRef(ref, options.revision);
  const { cacheDir = defaultCacheDir(), offline = false, hubUrl, token, signal } = options;
  if (offline) return inSnapshot(await cachedSnapshot(cacheDir, hubRef), hubRef);
  if (token !== undefined && !/^hf_\w+$/.test(token)) {
    throw new ConfigError("is no token of the Hub, which begins with hf_", { field: "token" });
  }
  const repo = repoFolder(cacheDir, hubRef);
  const there = await settled(repo, hubRef);
  if (there !== undefined) return inSnapshot(there, hubRef);
  await makeFolder(repo);
  const unlock = await lockRun(join(cacheDir, ".locks", basename(repo)));
  try {
    const given = { ...(hubUrl && { hubUrl }), ...(token && { token }), ...(signal && { signal }) };
    const access = { library: await hubLibrary(), ...hubRef, ...given };
    return await inSnapshot(await fetchSnapshot(access, repo, options), hubRef);
  } finally {
    await unlock();
  }
};

/** Loads the model that `ref` names, with its tokenizer. Throws as `modelDir` and `loadFolder` do. */
export const openModel = async (
  ref: string,
  options: HubOptions & LoadFolderOptions = {},
): Promise<ModelFolder> => loadFolder(await modelDir(ref, options), options);
