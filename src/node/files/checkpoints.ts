/**
 * Checkpoints that survive a crash: built under a temporary name, flushed, hashed, renamed, read back; then
 * `latest` moves, then older ones go. One of the same step is moved aside first, and counts until then.
 */
import { createHash } from "node:crypto";
import { open, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Json } from "../../models/model.ts";
import type { CheckpointStore } from "../../train/checkpoint.ts";
import { CheckpointError, ConfigError } from "../../util/errors.ts";
import { parseText } from "../../util/jsonText.ts";
import {
  type Chunks,
  discard,
  guarded,
  makeFolder,
  syncFolder,
  type Written,
  writeFileDurable,
  writeInto,
} from "./files.ts";
import { isGone } from "./leftovers.ts";

export { appendLine } from "./appendLine.ts";
export { writeFileDurable, writeFolder } from "./files.ts";
export { lockRun } from "./lock.ts";

/** How many checkpoints stay, and what is done about a damaged one. */
export interface StoreOptions {
  /** How many checkpoints stay; at least 2. */
  readonly keep?: number;
  /** Fail at a damaged checkpoint instead of going back to the one before. */
  readonly strict?: boolean;
  readonly onWarning?: (line: string) => void;
}

interface Manifest {
  readonly step: number;
  readonly files: Readonly<Record<string, Written>>;
  readonly meta: Json;
}

type Loaded = Awaited<ReturnType<CheckpointStore["load"]>>;

const MANIFEST = "manifest.json";
/** A folder of a step, or one that was moved aside by a process that saved the step anew. */
const STEP = /^step-(0|[1-9]\d*)(\.old-\d+)?$/;
const TEMPORARY = /^(?:step-\d+|latest)\.tmp-(\d+)$/;
const ASIDE = /^(step-\d+)\.old-(\d+)$/;
const FILE_NAME = /^[\w-][\w.-]*$/;
const text = new TextEncoder();

/** Reading and hashing go in pieces of this many bytes: each call takes less than 2 GiB. */
const PIECE = 1 << 28;

const sha256Of = (bytes: Uint8Array): string => {
  const hash = createHash("sha256");
  for (let at = 0; at < bytes.length; at += PIECE) hash.update(bytes.subarray(at, at + PIECE));
  return hash.digest("hex");
};

const namesIn = (dir: string): Promise<string[]> =>
  guarded("reading", dir, () =>
    readdir(dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    }),
  );

interface Place {
  readonly step: number;
  /** The folder's name. */
  readonly name: string;
}

/** Folders of steps, newest first; of one step, that in its place before that moved aside. */
const placesIn = async (dir: string): Promise<Place[]> => {
  const found = (await namesIn(dir)).flatMap((name) => {
    const step = Number(STEP.exec(name)?.[1]);
    return Number.isSafeInteger(step) ? [{ step, name }] : [];
  });
  return found.sort((a, b) => b.step - a.step || a.name.length - b.name.length);
};

const isFileName = (name: string): boolean => FILE_NAME.test(name) && name !== MANIFEST;

/** The manifest opens with the hash of all that follows, so that no bit of it can change unseen. */
const encodeManifest = (manifest: Manifest): Uint8Array => {
  const rest = JSON.stringify(manifest).slice(1);
  return text.encode(`{"sha256":"${sha256Of(text.encode(rest))}",${rest}`);
};

const decodeManifest = (bytes: Buffer, step: number, file: string): Manifest => {
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

const unreadable =
  (file: string) =>
  (cause: NodeJS.ErrnoException): never => {
    throw new CheckpointError(`cannot be read (${cause.code})`, { file, cause });
  };

/** A file of exactly this size and hash; the size is checked before memory is taken. */
const readChecked = async (path: string, { sizeBytes, sha256 }: Written): Promise<Uint8Array> => {
  const damaged = () =>
    new CheckpointError("is damaged: size or hash differ from the manifest", { file: path });
  const handle = await open(path, "r").catch(unreadable(path));
  try {
    if ((await handle.stat()).size !== sizeBytes) throw damaged();
    const bytes = new Uint8Array(sizeBytes);
    for (let at = 0; at < sizeBytes; ) {
      const { bytesRead } = await handle
        .read(bytes, at, Math.min(PIECE, sizeBytes - at))
        .catch(unreadable(path));
      if (bytesRead === 0) throw damaged();
      at += bytesRead;
    }
    if (sha256Of(bytes) !== sha256) throw damaged();
    return bytes;
  } finally {
    await handle.close();
  }
};

/** Reads a checkpoint and checks sizes and hashes. Throws CheckpointError saying what is wrong. */
const verified = async (dir: string, { step, name: folder }: Place): Promise<Loaded> => {
  const path = join(dir, folder, MANIFEST);
  const manifest = decodeManifest(await readFile(path).catch(unreadable(path)), step, path);
  const files = new Map<string, Uint8Array>();
  for (const [name, written] of Object.entries(manifest.files)) {
    files.set(name, await readChecked(join(dir, folder, name), written));
  }
  return { step, files, meta: manifest.meta };
};

const isSound = (dir: string, place: Place): Promise<boolean> =>
  verified(dir, place).then(
    () => true,
    (error) => {
      if (error instanceof CheckpointError) return false;
      throw error;
    },
  );

const remove = (path: string): Promise<void> =>
  guarded("deleting", path, () => rm(path, { recursive: true, force: true }));

/** Ends what a crash left of a step saved anew: a sound one in its place stays, else the other returns. */
const restore = async (dir: string, aside: string): Promise<void> => {
  const name = ASIDE.exec(aside)![1]!;
  const step = Number(STEP.exec(name)?.[1]);
  if (await isSound(dir, { step, name })) return retire(dir, aside);
  if (!(await isSound(dir, { step, name: aside }))) return;
  if ((await namesIn(dir)).includes(name)) await retire(dir, name);
  await guarded("renaming", join(dir, aside), () => rename(join(dir, aside), join(dir, name)));
  await guarded("flushing", dir, () => syncFolder(dir));
};

/** Deletes a checkpoint under another name: half of one is never taken for a whole. */
const retire = async (dir: string, name: string): Promise<void> => {
  const temporary = join(dir, `${name.replace(ASIDE, "$1")}.tmp-${process.pid}`);
  await remove(temporary);
  await guarded("renaming", join(dir, name), () => rename(join(dir, name), temporary));
  await remove(temporary);
};

/** Removes what processes that are gone left half-written. */
const sweep = async (dir: string): Promise<void> => {
  for (const name of await namesIn(dir)) {
    const [, temporary] = TEMPORARY.exec(name) ?? [];
    const [, , aside] = ASIDE.exec(name) ?? [];
    if (temporary !== undefined && isGone(Number(temporary))) await remove(join(dir, name));
    if (aside !== undefined && isGone(Number(aside))) await restore(dir, name);
  }
};

/**
 * Puts a finished folder in its place; where that fails, or what is there reads back wrong, the earlier
 * one returns.
 */
const moveIn = async (dir: string, place: Place, temporary: string): Promise<void> => {
  const final = join(dir, place.name);
  const aside = `${final}.old-${process.pid}`;
  const existed = (await namesIn(dir)).includes(place.name);
  if (existed) await guarded("moving aside", final, () => rename(final, aside));
  try {
    await guarded("renaming", final, () => rename(temporary, final));
    await guarded("flushing", dir, () => syncFolder(dir));
    await verified(dir, place);
  } catch (error) {
    if (existed) {
      await discard(final);
      await guarded("moving back", aside, () => rename(aside, final));
    }
    throw error;
  }
  if (existed) await retire(dir, basename(aside));
  await writeFileDurable(join(dir, "latest"), [text.encode(`${place.name}\n`)]);
};

const save = async (
  dir: string,
  place: Place,
  files: Readonly<Record<string, Chunks>>,
  meta: Json,
): Promise<void> => {
  const bad = Object.keys(files).find((name) => !isFileName(name));
  if (bad !== undefined) throw new ConfigError("is no name for a checkpoint's file", { file: bad });
  const temporary = join(dir, `${place.name}.tmp-${process.pid}`);
  await makeFolder(temporary);
  try {
    const written = await writeInto(temporary, new Map(Object.entries(files)));
    const manifest = { step: place.step, files: Object.fromEntries(written), meta };
    await writeInto(temporary, new Map([[MANIFEST, [encodeManifest(manifest)]]]));
    await moveIn(dir, place, temporary);
  } finally {
    await discard(temporary);
  }
};

/** Deletes what is older than the last `keep` sound ones; damaged ones never count, `saved` always does. */
const prune = async (dir: string, saved: Place, keep: number): Promise<void> => {
  let sound = 1;
  for (const place of await placesIn(dir)) {
    if (place.name === saved.name || ASIDE.test(place.name)) continue;
    if (sound >= Math.max(2, keep)) await retire(dir, place.name);
    else if (await isSound(dir, place)) sound++;
  }
};

/** Where to look, in order, and what is wrong with `latest`. */
const candidates = async (dir: string): Promise<{ order: Place[]; wrong?: string }> => {
  const places = await placesIn(dir);
  const pointer = await readFile(join(dir, "latest"), "utf8").catch((error: NodeJS.ErrnoException) => error);
  if (typeof pointer !== "string") return { order: places, wrong: `cannot be read (${pointer.code})` };
  const step = /^step-(\d+)\n?$/.exec(pointer)?.[1];
  if (step === undefined) return { order: places, wrong: "names no step" };
  const first = places.filter((place) => place.step === Number(step));
  const order = [...first, ...places.filter((place) => !first.includes(place))];
  return first.length > 0 ? { order } : { order, wrong: `names step-${step}, which is not there` };
};

const load = async (dir: string, { strict = false, onWarning }: StoreOptions): Promise<Loaded> => {
  const { order, wrong } = await candidates(dir);
  if (wrong !== undefined && order.length > 0) {
    if (strict) throw new CheckpointError(wrong, { file: join(dir, "latest") });
    onWarning?.(`DAMAGED CHECKPOINT: ${join(dir, "latest")}: ${wrong}; looking for the newest sound one`);
  }
  for (const place of order) {
    try {
      return await verified(dir, place);
    } catch (error) {
      if (strict || !(error instanceof CheckpointError)) throw error;
      onWarning?.(`DAMAGED CHECKPOINT: ${error.message}; going back to the one before`);
    }
  }
  throw new CheckpointError(
    `there is no sound checkpoint: looked for ${join(dir, "step-*")}, found ${order.length}`,
    {
      file: dir,
      hint: "leave out --resume to start from the beginning",
    },
  );
};

/** Checkpoints in a folder that one process at a time writes to (see lockRun), one save after the other. */
export const checkpointStore = (dir: string, options: StoreOptions = {}): CheckpointStore => ({
  save: async (step, files, meta) => {
    await makeFolder(dir);
    await sweep(dir);
    const place = { step, name: `step-${step}` };
    await save(dir, place, files, meta);
    await prune(dir, place, options.keep ?? 2);
  },
  load: () => load(dir, options),
});
