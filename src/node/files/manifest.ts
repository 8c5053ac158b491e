/** What a checkpoint's folder says of its files, and those read and checked by it. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { Json } from "../../models/model.ts";
import { CheckpointError } from "../../util/errors.ts";
import { parseText } from "../../util/jsonText.ts";
import type { Written } from "./files.ts";

/** The manifest's file. */
export const MANIFEST = "manifest.json";
const FILE_NAME = /^[\w-][\w.-]*$/;
const text = new TextEncoder();

/** What stands in a manifest: sizes and hashes by the names of files. */
export interface Manifest {
  readonly step: number;
  readonly files: Readonly<Record<string, Written>>;
  readonly meta: Json;
}

/** Reading and hashing go in pieces of this many bytes: each call takes less than 2 GiB. */
const PIECE = 1 << 28;

const sha256Of = (bytes: Uint8Array): string => {
  const hash = createHash("sha256");
  for (let at = 0; at < bytes.length; at += PIECE) hash.update(bytes.subarray(at, at + PIECE));
  return hash.digest("hex");
};

/** Whether a checkpoint may have a file of this name. */
export const isFileName = (name: string): boolean => FILE_NAME.test(name) && name !== MANIFEST;

/** The manifest opens with the hash of all that follows, so that no bit of it can change unseen. */
export const encodeManifest = (manifest: Manifest): Uint8Array => {
  const rest = JSON.stringify(manifest).slice(1);
  return text.encode(`{"sha256":"${sha256Of(text.encode(rest))}",${rest}`);
};

/** The manifest of a step from its bytes. Throws CheckpointError where it is damaged. */
export const decodeManifest = (bytes: Buffer, step: number, file: string): Manifest => {
  const hash = /^\{"sha256":"([0-9a-f]{64})",/.exec(bytes.toString("latin1", 0, 80));
  if (hash === null || sha256Of(bytes.subarray(hash[0].length)) !== hash[1]) {
    throw new CheckpointError("is damaged: its hash is missing or differs", { file });
  }
  const damaged = (what: string, cause?: unknown) =>
    new CheckpointError(`is damaged: ${what}`, { file, cause });
  let manifest: Partial<Manifest> | null;
  try {
    manifest = parseText(bytes.toString("utf8")) as Partial<Manifest> | null;
  } catch (cause) {
    throw damaged("it is not JSON", cause);
  }
  const files: unknown = manifest?.files;
  if (typeof files !== "object" || files === null || Array.isArray(files) || manifest?.step !== step) {
    throw damaged("it is not a manifest of this step");
  }
  if (manifest.meta === undefined) throw damaged("it has no meta");
  for (const [name, written] of Object.entries(files) as [string, Partial<Written> | null][]) {
    if (!isFileName(name)) throw damaged(`${JSON.stringify(name)} is no name of a file beside it`);
    const size = written?.sizeBytes;
    if (!Number.isSafeInteger(size) || size! < 0 || typeof written!.sha256 !== "string") {
      throw damaged(`${name} has no size and hash`);
    }
  }
  return manifest as Manifest;
};

/** Throws a CheckpointError that says why a file cannot be read. */
export const unreadable =
  (file: string) =>
  (cause: NodeJS.ErrnoException): never => {
    throw new CheckpointError(`cannot be read (${cause.code})`, { file, cause });
  };

/** A file is checked in pieces of this many bytes. */
const CHECKED = 1 << 24;

/** Reads a file of exactly this size and hash, piece by piece; the size is checked before memory is taken. */
const readPieces = async (
  path: string,
  { sizeBytes, sha256 }: Written,
  pieceAt: (at: number) => Uint8Array,
): Promise<void> => {
  const damaged = () =>
    new CheckpointError("is damaged: size or hash differ from the manifest", { file: path });
  const handle = await open(path, "r").catch(unreadable(path));
  try {
    if ((await handle.stat()).size !== sizeBytes) throw damaged();
    const hash = createHash("sha256");
    for (let at = 0; at < sizeBytes; ) {
      const piece = pieceAt(at);
      const length = Math.min(piece.length, sizeBytes - at);
      const { bytesRead } = await handle.read(piece, 0, length).catch(unreadable(path));
      if (bytesRead === 0) throw damaged();
      hash.update(piece.subarray(0, bytesRead));
      at += bytesRead;
    }
    if (hash.digest("hex") !== sha256) throw damaged();
  } finally {
    await handle.close();
  }
};

/** A file's bytes, checked as `readPieces` does. */
export const readChecked = async (path: string, written: Written): Promise<Uint8Array> => {
  let bytes = new Uint8Array(0);
  await readPieces(path, written, (at) => {
    if (at === 0) bytes = new Uint8Array(written.sizeBytes);
    return bytes.subarray(at, at + PIECE);
  });
  return bytes;
};

/** Checks a file without holding it. */
export const checkFile = (path: string, written: Written): Promise<void> => {
  const piece = new Uint8Array(Math.min(CHECKED, Math.max(1, written.sizeBytes)));
  return readPieces(path, written, () => piece);
};
