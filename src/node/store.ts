/**
 * Checkpoints that survive a crash at any moment: built under a temporary name, flushed, hashed, renamed, read back; only
 * then does `latest` move, and only then do older ones go.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Json } from "../models/model.ts";
import type { CheckpointStore } from "../train/checkpoint.ts";
import { CheckpointError } from "../util/errors.ts";
import { type Chunks, guarded, syncFolder, writeFileDurable, type Written, writeInto } from "./files.ts";

export { appendLine, writeFileDurable, writeFolder } from "./files.ts";
export { lockRun } from "./lock.ts";

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

const STEP = /^step-(\d+)$/;
const TEMPORARY = /^step-\d+\.tmp-(\d+)$/;
const text = new TextEncoder();

/** Steps that have a folder, newest first. */
const stepsIn = async (dir: string): Promise<number[]> => {
  const names = await readdir(dir).catch(() => [] as string[]);
  return names.flatMap((name) => STEP.exec(name)?.[1] ?? []).map(Number).sort((a, b) => b - a);
};

/** Reads a checkpoint and checks sizes and hashes. Throws CheckpointError saying what is wrong. */
const verified = async (dir: string, step: number): Promise<Loaded> => {
  const folder = join(dir, `step-${step}`);
  const read = (name: string): Promise<Buffer> =>
    readFile(join(folder, name)).catch((cause) => {
      throw new CheckpointError(`cannot be read (${cause.code})`, { file: join(folder, name), cause });
    });
  let manifest: Manifest;
  const raw = await read("manifest.json");
  try {
    manifest = JSON.parse(raw.toString("utf8"));
  } catch (cause) {
    throw new CheckpointError("is damaged: it is not JSON", { file: join(folder, "manifest.json"), cause });
  }
  if (typeof manifest?.files !== "object" || manifest.step !== step) {
    throw new CheckpointError("is damaged: it is not a manifest of this step", { file: join(folder, "manifest.json") });
  }
  const files = new Map<string, Uint8Array>();
  for (const [name, { sizeBytes, sha256 }] of Object.entries(manifest.files)) {
    const bytes = await read(name);
    if (bytes.length !== sizeBytes || createHash("sha256").update(bytes).digest("hex") !== sha256) {
      throw new CheckpointError("is damaged: size or hash differ from the manifest", { file: join(folder, name) });
    }
    files.set(name, bytes);
  }
  return { step, files, meta: manifest.meta };
};

/** Removes what processes that are gone left half-written. */
const sweep = async (dir: string): Promise<void> => {
  for (const name of await readdir(dir).catch(() => [] as string[])) {
    const pid = TEMPORARY.exec(name)?.[1];
    if (pid === undefined || Number(pid) === process.pid) continue;
    try {
      process.kill(Number(pid), 0);
    } catch {
      await rm(join(dir, name), { recursive: true, force: true });
    }
  }
};

const save = async (dir: string, step: number, files: Readonly<Record<string, Chunks>>, meta: Json): Promise<void> => {
  const final = join(dir, `step-${step}`);
  const temporary = `${final}.tmp-${process.pid}`;
  await guarded("making the folder", temporary, () => mkdir(temporary, { recursive: true }));
  try {
    const written = await writeInto(temporary, new Map(Object.entries(files)));
    const manifest = { step, files: Object.fromEntries(written), meta };
    await writeInto(temporary, new Map([["manifest.json", [text.encode(JSON.stringify(manifest))]]]));
    await rm(final, { recursive: true, force: true });
    await guarded("renaming", final, () => rename(temporary, final));
    await guarded("flushing", dir, () => syncFolder(dir));
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  await verified(dir, step);
  await writeFileDurable(join(dir, "latest"), [text.encode(`step-${step}\n`)]);
};

const prune = async (dir: string, keep: number): Promise<void> => {
  for (const step of (await stepsIn(dir)).slice(Math.max(2, keep))) {
    await rm(join(dir, `step-${step}`), { recursive: true, force: true });
  }
};

const load = async (dir: string, { strict = false, onWarning }: StoreOptions): Promise<Loaded> => {
  const latest = await readFile(join(dir, "latest"), "utf8").catch(() => "");
  const named = STEP.exec(latest.trim())?.[1];
  const steps = await stepsIn(dir);
  const order = named === undefined ? steps : [Number(named), ...steps.filter((s) => s !== Number(named))];
  for (const step of order) {
    try {
      return await verified(dir, step);
    } catch (error) {
      if (strict || !(error instanceof CheckpointError)) throw error;
      onWarning?.(`DAMAGED CHECKPOINT: ${error.message}; going back to the one before`);
    }
  }
  throw new CheckpointError(`there is no sound checkpoint: looked for ${join(dir, "step-*")}, found ${steps.length}`, {
    file: dir,
    hint: "leave out --resume to start from the beginning",
  });
};

/** Checkpoints in a folder. */
export const checkpointStore = (dir: string, options: StoreOptions = {}): CheckpointStore => ({
  save: async (step, files, meta) => {
    await guarded("making the folder", dir, () => mkdir(dir, { recursive: true }));
    await sweep(dir);
    await save(dir, step, files, meta);
    await prune(dir, options.keep ?? 2);
  },
  load: () => load(dir, options),
});
