/** Which files a model of the Hub has. */
import type { Json } from "../../models/model.ts";
import { FormatError } from "../../util/errors.ts";
import { callOptions, type HubAccess, hubError, type RemoteFile } from "./download.ts";

const ETAG = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** What lies in a folder of a model. */
export interface RemoteFolder {
  /** By their paths from the top on. */
  readonly files: ReadonlyMap<string, RemoteFile>;
  readonly folders: ReadonlySet<string>;
}

/**
 * What is at the top of a commit, or in a folder there. Throws FormatError for a file without a size and a
 * hash, DataError where the Hub refuses, RunError without network.
 */
export const remoteFolder = async (
  access: HubAccess,
  commit: string,
  folder?: string,
): Promise<RemoteFolder> => {
  const files = new Map<string, RemoteFile>();
  const folders = new Set<string>();
  const repo = { type: "model", name: access.id } as const;
  const within = folder === undefined ? {} : { path: folder };
  const prefix = folder === undefined ? "" : `${folder}/`;
  const listing = { ...callOptions(access), repo, revision: commit, ...within };
  try {
    for await (const entry of access.library.listFiles(listing)) {
      const name = entry.path;
      if (!name.startsWith(prefix) || !/^[\w.-]+$/.test(name.slice(prefix.length))) continue;
      if (entry.type === "directory") folders.add(name);
      if (entry.type !== "file") continue;
      const { size: sizeBytes, oid: etag = "" } = entry.lfs ?? entry;
      if (!ETAG.test(etag) || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
        throw new FormatError("is listed without a size and a hash", { file: `${access.id}/${name}` });
      }
      files.set(name, { name, sizeBytes, etag });
    }
  } catch (cause) {
    throw cause instanceof FormatError ? cause : hubError(access, "the list of files", cause);
  }
  return { files, folders };
};

/** What a module of sentence-transformers consists of. */
const OF_MODULE = ["config.json", "model.safetensors"];

/**
 * The files of the modules that modules.json names by folder (a Pooling's config), of the folders that are
 * there: git keeps no empty ones, and a Normalize is empty. Throws as `remoteFolder` does.
 */
export const moduleFiles = async (
  access: HubAccess,
  commit: string,
  { modules, folders }: { readonly modules: Json; readonly folders: ReadonlySet<string> },
): Promise<RemoteFile[]> => {
  const all = Array.isArray(modules) ? (modules as readonly ({ readonly path?: Json } | null)[]) : [];
  const paths = new Set(all.map((module) => module?.path));
  const found: RemoteFile[] = [];
  for (const folder of folders) {
    if (!paths.has(folder)) continue;
    const { files } = await remoteFolder(access, commit, folder);
    found.push(...OF_MODULE.flatMap((name) => files.get(`${folder}/${name}`) ?? []));
  }
  return found;
};
