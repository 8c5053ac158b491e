/**
 * One file from the Hub into its cache: appended to `blobs/HASH.incomplete`, so that a download which broke
 * off goes on where it was, checked by size and hash, and only then under its name.
 */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { AnnealError, DataError, FormatError, RunError } from "../../util/errors.ts";
import { guarded, remove } from "../files/files.ts";

/** The part of `@huggingface/hub` that is used. */
export type HubLibrary = Pick<typeof import("@huggingface/hub"), "modelInfo" | "listFiles" | "downloadFile">;

/** How the Hub is reached. */
export interface HubAccess {
  readonly library: HubLibrary;
  readonly id: string;
  /** As asked for: a branch, tag or commit. */
  readonly revision: string;
  /** The GGUF file that is asked for, or the ending of its name. */
  readonly gguf?: string;
  readonly hubUrl?: string;
  readonly token?: string;
  readonly signal?: AbortSignal;
}

/** A file as the Hub lists it. */
export interface RemoteFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** SHA-256 of a large file; of others the SHA-1 by which git knows them. */
  readonly etag: string;
}

/** What every call of the library takes. */
export const callOptions = ({ hubUrl, token, signal }: HubAccess) => ({
  ...(hubUrl === undefined ? {} : { hubUrl }),
  ...(token === undefined ? {} : { accessToken: token }),
  ...(signal === undefined
    ? {}
    : { fetch: (input: string | URL | Request, init?: RequestInit) => fetch(input, { ...init, signal }) }),
});

/** Times that a file is asked for before a broken connection is given up. */
const ATTEMPTS = 3;

const hints: Readonly<Record<number, string>> = {
  401: "check the name; a private or gated model needs a token of an account that may read it (HF_TOKEN)",
  403: "accept the model's terms on its page, and use a token of that account (HF_TOKEN)",
  404: "check the name and the revision: org/name@revision",
  429: "the Hub asks to slow down: wait some minutes, or use a token (HF_TOKEN)",
};

const NO_NETWORK =
  "is it a folder? there is none of that name here. Else check the network: --offline serves what the " +
  "cache has, and a broken download goes on where it was";

/** An error of the library as one of ours, with the way out. */
export const hubError = ({ id, revision, hubUrl }: HubAccess, what: string, cause: unknown): Error => {
  const file = `${id}@${revision}`;
  const status = (cause as { statusCode?: unknown } | null)?.statusCode;
  if (typeof status === "number") {
    const hint = hints[status] ?? (status >= 500 ? "the Hub has a fault: try again later" : undefined);
    const details = { file, cause, ...(hint === undefined ? {} : { hint }) };
    return new DataError(`the Hub answers ${status} for ${what}`, details);
  }
  const inner = (cause as { cause?: { code?: string; message?: string } } | null)?.cause;
  const text = inner?.code ?? inner?.message ?? (cause instanceof Error ? cause.message : String(cause));
  const url = hubUrl ?? "https://huggingface.co";
  return new RunError(`${what} cannot be fetched from ${url} (${text})`, { file, cause, hint: NO_NETWORK });
};

const hasherOf = ({ etag, sizeBytes }: RemoteFile): Hash =>
  etag.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${sizeBytes}\0`);

const sizeOf = async (path: string): Promise<number | undefined> =>
  (await stat(path).catch(() => undefined))?.size;

/** Whether the cache has the file's bytes. */
export const hasBlob = async (repo: string, file: RemoteFile): Promise<boolean> =>
  (await sizeOf(join(repo, "blobs", file.etag))) === file.sizeBytes;

/** A file on its way into the folder `repo` of the cache. */
export interface Download {
  readonly access: HubAccess;
  readonly file: RemoteFile;
  readonly commit: string;
  readonly repo: string;
  /** Hears of bytes as they come. */
  readonly onBytes: (count: number) => void;
}

const partialOf = ({ repo, file }: Download): string => join(repo, "blobs", `${file.etag}.incomplete`);

/** Bytes of the file that an earlier download left. */
const partOf = async (download: Download): Promise<number> => {
  const partial = partialOf(download);
  const size = (await sizeOf(partial)) ?? 0;
  if (size <= download.file.sizeBytes) return size;
  await remove(partial);
  return 0;
};

/** The file as a blob that is fetched as it is read. */
const remoteBlob = async ({ access, file, commit }: Download): Promise<Blob> => {
  const { library, id } = access;
  const repo = { type: "model", name: id } as const;
  const where = `${id}/${file.name}`;
  // Over plain HTTP: Xet asks a second server, and its checks are not those of the whole file.
  const options = { ...callOptions(access), repo, path: file.name, revision: commit, xet: false };
  const blob = await library.downloadFile(options);
  if (blob === null) throw new DataError("is listed by the Hub and is not there", { file: where });
  if (blob.size === file.sizeBytes) return blob;
  throw new FormatError(`the Hub lists ${file.sizeBytes} bytes and offers ${blob.size}`, { file: where });
};

/** Appends to the file what is missing after its first `have` bytes. */
const append = async (download: Download, have: number): Promise<void> => {
  const { access, file, onBytes } = download;
  const blob = await remoteBlob(download);
  const partial = partialOf(download);
  const handle = await guarded("writing", partial, () => open(partial, "a"));
  try {
    let at = have;
    for await (const chunk of blob.slice(have, file.sizeBytes).stream() as AsyncIterable<Uint8Array>) {
      at += chunk.length;
      // A server that ignores ranges sends the whole again.
      if (at > file.sizeBytes) {
        throw new FormatError("the Hub sends more than it lists", { file: `${access.id}/${file.name}` });
      }
      await guarded("writing", partial, () => handle.writeFile(chunk));
      onBytes(chunk.length);
    }
    await guarded("flushing", partial, () => handle.sync());
  } finally {
    await handle.close();
  }
};

/** Brings the file to its full size, over broken connections. */
const complete = async (download: Download): Promise<void> => {
  const { access, file } = download;
  const partial = partialOf(download);
  for (let attempt = 1; ; attempt++) {
    const have = await partOf(download);
    if (have === file.sizeBytes && (await sizeOf(partial)) !== undefined) return;
    try {
      await append(download, have);
    } catch (cause) {
      if (cause instanceof FormatError) await remove(partial);
      if (cause instanceof AnnealError) throw cause;
      const error = hubError(access, file.name, cause);
      const lasting = error instanceof DataError || access.signal?.aborted === true;
      if (lasting || attempt === ATTEMPTS) throw error;
    }
  }
};

const isWhole = async (partial: string, file: RemoteFile): Promise<boolean> => {
  const hash = hasherOf(file);
  for await (const chunk of createReadStream(partial)) hash.update(chunk);
  return hash.digest("hex") === file.etag;
};

/**
 * Fetches a file's bytes to `blobs/HASH`. Throws DataError where the Hub refuses, RunError without network,
 * FormatError for damaged bytes.
 */
export const downloadBlob = async (download: Download): Promise<void> => {
  const { access, file, repo } = download;
  const partial = partialOf(download);
  const resumed = (await partOf(download)) > 0;
  await complete(download);
  if (await isWhole(partial, file)) {
    return guarded("renaming", partial, () => rename(partial, join(repo, "blobs", file.etag)));
  }
  await remove(partial);
  // What was there from before may have been the damage.
  if (resumed) return downloadBlob(download);
  throw new FormatError(`does not have the hash ${file.etag} that the Hub lists`, {
    file: `${access.id}/${file.name}`,
    hint: "try again; if it stays so, a proxy on the way changes what it passes on",
  });
};
