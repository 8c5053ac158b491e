/** Bringing what is needed of a repository into the cache: of a model, or of an adapter. */
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { CONFIG as ADAPTER_CONFIG, WEIGHTS as ADAPTER_WEIGHTS } from "../../adapters/peft/names.ts";
import { decodeIndex } from "../../formats/safetensors/safetensorsIndex.ts";
import { architectureOf } from "../../models/checkpoint/config.ts";
import { MODULES } from "../../models/checkpoint/sentenceModules.ts";
import { DataError, FormatError, RunError } from "../../util/errors.ts";
import { MARKER, makeFolder } from "../files/files.ts";
import { ggufAmong } from "../model/ggufFile.ts";
import { findFile, readJson, readText } from "../model/modelFile.ts";
import { INDEX, refuseForeignWeights, SHARD, SINGLE } from "../model/weights.ts";
import { isCommit, linkBlob, missingFrom, snapshotFolder, writeRef } from "./cache.ts";
import { callOptions, downloadBlob, type HubAccess, hasBlob, hubError, type RemoteFile } from "./download.ts";
import { moduleFiles, remoteFolder } from "./listing.ts";
import type { OnProgress } from "./progress.ts";

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
const meterOf = (expectedBytes: number, onProgress: OnProgress | undefined) => {
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

interface Fetching {
  readonly access: HubAccess;
  readonly commit: string;
  readonly snapshot: string;
  readonly meter: ReturnType<typeof meterOf>;
  readonly fetchAll: Fetch;
}

type FilesOf = (fetching: Fetching) => Promise<readonly RemoteFile[]>;

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

/** The files of a model, and its weights, once the former say that it can be used. */
const modelFiles: FilesOf = async ({ access, commit, snapshot, meter, fetchAll }) => {
  const { files, folders } = await remoteFolder(access, commit);
  const gguf = splitGguf(access, files);
  const { small, likely } = gguf ?? split(access, files);
  meter.expect(bytesOf(small) + bytesOf(likely));
  // Small files first: what cannot be used is refused before its weights are fetched.
  await fetchAll(small);
  const named = small.some(({ name }) => name === MODULES) ? await readJson(snapshot, MODULES) : [];
  const modules = await moduleFiles(access, commit, { modules: named, folders });
  await fetchAll(modules);
  if (gguf === undefined) architectureOf(await readJson(snapshot, "config.json"), `${access.id}/config.json`);
  const large = gguf?.likely ?? (await weightFiles(access, files, snapshot));
  meter.expect(bytesOf([...small, ...modules, ...large]));
  return large;
};

/** The files of an adapter. */
const adapterFiles: FilesOf = async ({ access, commit, meter }) => {
  const { files } = await remoteFolder(access, commit);
  const all = [ADAPTER_CONFIG, ADAPTER_WEIGHTS].map((name) => {
    const file = files.get(name);
    if (file !== undefined) return file;
    const hint = files.has("config.json") ? "is it a model? Name it as such" : "choose an adapter of PEFT";
    throw new DataError(`has no ${name}`, { file: `${access.id}@${access.revision}`, hint });
  });
  const made = files.get(MARKER);
  const wanted = made === undefined ? all : [made, ...all];
  meter.expect(bytesOf(wanted));
  return wanted;
};

const adapterMissing = async (snapshot: string): Promise<string[]> => {
  const missing: string[] = [];
  for (const name of [ADAPTER_CONFIG, ADAPTER_WEIGHTS])
    if ((await findFile(snapshot, name)) === undefined) missing.push(name);
  return missing;
};

/** What a repository is taken for. */
export interface RepoKind {
  /** Fetches what says how to read it, and names what else is needed. */
  readonly files: FilesOf;
  /** Names of the files that a snapshot lacks of what it cannot do without. */
  readonly missing: (snapshot: string, gguf?: string) => Promise<string[]>;
}

/** A model in any of its forms. */
export const modelRepo: RepoKind = { files: modelFiles, missing: missingFrom };

/** An adapter in PEFT's format. */
export const adapterRepo: RepoKind = { files: adapterFiles, missing: adapterMissing };

/** Brings a repository's files into the cache; the folder of the snapshot. */
export const fetchSnapshot = async (
  access: HubAccess,
  repo: string,
  { files }: RepoKind,
  onProgress: OnProgress | undefined,
): Promise<string> => {
  const commit = await commitOf(access);
  const snapshot = snapshotFolder(repo, commit);
  await makeFolder(join(repo, "blobs"));
  const meter = meterOf(0, onProgress);
  const fetchAll = fetcher(access, repo, commit, meter);
  const large = await files({ access, commit, snapshot, meter, fetchAll });
  const there = await Promise.all(large.map((file) => hasBlob(repo, file)));
  await checkDisk(repo, bytesOf(large.filter((_, i) => !there[i])));
  await fetchAll(large);
  await writeRef(repo, access.revision, commit);
  return snapshot;
};
