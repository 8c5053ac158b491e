/**
 * Checkpoints that survive a crash: built under a temporary name, flushed, hashed, renamed, read back; then
 * `latest` moves, then older ones go. One of the same step is moved aside first, and counts until then.
 */
import { readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Json } from "../../models/model.ts";
import type { CheckpointStore } from "../../train/checkpoint.ts";
import { CheckpointError, ConfigError } from "../../util/errors.ts";
import {
  type Chunks,
  discard,
  guarded,
  makeFolder,
  syncFolder,
  writeFileDurable,
  writeInto,
} from "./files.ts";
import { isGone } from "./leftovers.ts";
import {
  checkFile,
  decodeManifest,
  encodeManifest,
  isFileName,
  MANIFEST,
  type Manifest,
  readChecked,
  unreadable,
} from "./manifest.ts";

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
  /** The ranks that save together: each writes its own files, and the first all else. */
  readonly writers?: Writers;
}

/** Processes that call the same in the same order, on one file system. */
export interface Writers {
  readonly rank: number;
  /** What each of them tells, by rank. */
  tell(own: Json): Promise<readonly Json[]>;
}

const onlyWriter: Writers = { rank: 0, tell: async (own) => [own] };

type Loaded = Awaited<ReturnType<CheckpointStore["load"]>>;

/** A folder of a step, or one that was moved aside by a process that saved the step anew. */
const STEP = /^step-(0|[1-9]\d*)(\.old-\d+)?$/;
const TEMPORARY = /^(?:step-\d+|latest)\.tmp-(\d+)$/;
const ASIDE = /^(step-\d+)\.old-(\d+)$/;
const text = new TextEncoder();

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

const manifestOf = async (dir: string, { step, name }: Place): Promise<Manifest> => {
  const path = join(dir, name, MANIFEST);
  return decodeManifest(await readFile(path).catch(unreadable(path)), step, path);
};

/** Reads a checkpoint and checks sizes and hashes. Throws CheckpointError saying what is wrong. */
const verified = async (
  dir: string,
  place: Place,
  kept: (name: string, bytes: Uint8Array) => boolean = () => true,
): Promise<Loaded> => {
  const manifest = await manifestOf(dir, place);
  const files = new Map<string, Uint8Array>();
  for (const [name, written] of Object.entries(manifest.files)) {
    const bytes = await readChecked(join(dir, place.name, name), written);
    if (kept(name, bytes)) files.set(name, bytes);
  }
  return { step: place.step, files, meta: manifest.meta };
};

/** As `verified`, without holding what is read. */
const check = async (dir: string, place: Place): Promise<void> => {
  const { files } = await manifestOf(dir, place);
  for (const [name, written] of Object.entries(files)) await checkFile(join(dir, place.name, name), written);
};

const isSound = (dir: string, place: Place): Promise<boolean> =>
  check(dir, place).then(
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
    await check(dir, place);
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

/** Each rank writes its files; the first then has all moved in. */
const save = async (
  dir: string,
  place: Place,
  files: Readonly<Record<string, Chunks>>,
  { meta, writers: { rank, tell } }: { readonly meta: Json; readonly writers: Writers },
): Promise<void> => {
  const bad = Object.keys(files).find((name) => !isFileName(name));
  if (bad !== undefined) throw new ConfigError("is no name for a checkpoint's file", { file: bad });
  const [name] = await tell(`${place.name}.tmp-${process.pid}`);
  const temporary = join(dir, name as string);
  if (rank === 0) await makeFolder(temporary);
  try {
    await tell(null); // The folder is there.
    const own = await writeInto(temporary, new Map(Object.entries(files)));
    const written = await tell(
      Object.fromEntries(Array.from(own, ([file, { sizeBytes, sha256 }]) => [file, { sizeBytes, sha256 }])),
    );
    if (rank > 0) return;
    const manifest = { step: place.step, files: Object.assign({}, ...written), meta };
    await writeInto(temporary, new Map([[MANIFEST, [encodeManifest(manifest)]]]));
    await moveIn(dir, place, temporary);
  } finally {
    if (rank === 0) await discard(temporary);
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

const load = async (
  dir: string,
  { strict = false, onWarning }: StoreOptions,
  kept?: (name: string, bytes: Uint8Array) => boolean,
): Promise<Loaded> => {
  const { order, wrong } = await candidates(dir);
  if (wrong !== undefined && order.length > 0) {
    if (strict) throw new CheckpointError(wrong, { file: join(dir, "latest") });
    onWarning?.(`DAMAGED CHECKPOINT: ${join(dir, "latest")}: ${wrong}; looking for the newest sound one`);
  }
  for (const place of order) {
    try {
      return await verified(dir, place, kept);
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

/**
 * Checkpoints in a folder that one process at a time writes to (see lockRun), or several ranks together, one
 * save after the other.
 */
export const checkpointStore = (dir: string, options: StoreOptions = {}): CheckpointStore => ({
  save: async (step, files, meta) => {
    const { writers = onlyWriter, keep = 2 } = options;
    const first = writers.rank === 0;
    if (first) await makeFolder(dir);
    if (first) await sweep(dir);
    const place = { step, name: `step-${step}` };
    await save(dir, place, files, { meta, writers });
    if (first) await prune(dir, place, keep);
    await writers.tell(null); // It stands.
  },
  load: (kept) => load(dir, options, kept),
});
