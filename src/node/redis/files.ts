/**
 * Files sent by Redis, in pieces that vanish by themselves: each is known by its hash. Names are those that
 * are expected of a job; no other path can be told.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { DataError } from "../../util/errors.ts";
import { guarded, makeFolder } from "../files/files.ts";
import type { Redis } from "./client.ts";

/** A file that was sent. */
export interface SentFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** What is sent of a job. */
export interface Sending {
  /** Whether a file of this name, a path below the job's folder, may be sent. */
  isSent(name: string): boolean;
  /** Bytes of all files at most. */
  readonly most: number;
}

/** Bytes that are sent at a time, and milliseconds after which they are gone. */
const [PIECE, STANDS] = [2 ** 20, 900_000];
/** Files that are sent of a job at most. */
export const MOST_FILES = 100;

const NAME = /^(model\/((onnx|\d_[A-Za-z]{1,30})\/)?|run\/)[A-Za-z0-9][\w-]*(\.[\w-]+)*$/;

/** Of a trial: a model's folder, and a run's own. */
export const trialFiles: Sending = {
  isSent: (name) => name.length <= 120 && NAME.test(name),
  most: 2 ** 28,
};

const pieceKey = (key: string, file: number, piece: number): string => `${key}:${file}:${piece}`;
const pieces = (sizeBytes: number): number[] =>
  Array.from({ length: Math.ceil(sizeBytes / PIECE) }, (_, i) => i);

/** The files of `dir`, which need not be there, that are sent; undefined where they are too many or large. */
const filesOf = async (dir: string, { isSent, most }: Sending): Promise<readonly string[] | undefined> => {
  if (!existsSync(dir)) return [];
  const found = await readdir(dir, { recursive: true, withFileTypes: true });
  const names = found
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(dir, join(parentPath, name)).replaceAll(sep, "/"))
    .filter(isSent)
    .sort();
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(dir, name))).size));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return names.length > MOST_FILES || bytes > most ? undefined : names;
};

/** Where files come from, or go to. */
export interface Sent {
  /** What the keys of their pieces begin with. */
  readonly key: string;
  readonly dir: string;
  readonly sending: Sending;
}

/** Sends the files of a folder; undefined where they are too large. Throws RunError where one is not read. */
export const sendFiles = (redis: Redis, sent: Sent): Promise<readonly SentFile[] | undefined> =>
  guarded("sending", sent.dir, () => send(redis, sent));

const send = async (redis: Redis, { key, dir, sending }: Sent): Promise<readonly SentFile[] | undefined> => {
  const names = await filesOf(dir, sending);
  const sent: SentFile[] = [];
  for (const [file, name] of (names ?? []).entries()) {
    const hash = createHash("sha256");
    let [piece, sizeBytes] = [0, 0];
    for await (const bytes of createReadStream(join(dir, name), { highWaterMark: PIECE })) {
      hash.update(bytes as Buffer);
      sizeBytes += (bytes as Buffer).length;
      await redis.call("SET", pieceKey(key, file, piece++), bytes as Buffer, "PX", STANDS);
    }
    sent.push({ name, sizeBytes, sha256: hash.digest("hex") });
  }
  return names === undefined ? undefined : sent;
};

const torn = (file: string): DataError =>
  new DataError("did not arrive whole by Redis", { file, hint: "have it sent again" });

/**
 * Writes what was sent into `dir`, which is new. Throws DataError where a piece is missing or another than
 * the hash says, or a name is none that is sent.
 */
export const fetchFiles = async (
  redis: Redis,
  { key, files, dir, sending }: Sent & { readonly files: readonly SentFile[] },
): Promise<void> => {
  for (const [file, { name, sizeBytes, sha256 }] of files.entries()) {
    const path = join(dir, name);
    if (!sending.isSent(name)) throw torn(dir);
    await makeFolder(dirname(path));
    const hash = createHash("sha256");
    await guarded("writing", path, async () => {
      const handle = await open(path, "wx");
      try {
        for (const piece of pieces(sizeBytes)) {
          const bytes = await redis.callBuffer("GETRANGE", pieceKey(key, file, piece), 0, PIECE - 1);
          if (bytes.length !== Math.min(PIECE, sizeBytes - piece * PIECE)) throw torn(path);
          hash.update(bytes);
          await handle.write(bytes);
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
    if (hash.digest("hex") !== sha256) throw torn(path);
  }
};

/** Drops what was sent. */
export const dropFiles = async (redis: Redis, key: string, files: readonly SentFile[]): Promise<void> => {
  for (const [file, { sizeBytes }] of files.entries()) {
    for (const piece of pieces(sizeBytes)) await redis.call("DEL", pieceKey(key, file, piece));
  }
};
