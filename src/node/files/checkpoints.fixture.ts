/** A folder of checkpoints of its own for each test of a file that imports this. */
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { checkpointStore, type StoreOptions } from "./checkpoints.ts";

export let dir = "";

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-store-"));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

export const FILE = "state.bin";

export const content = (step: number, size = 1000): Uint8Array => new Uint8Array(size).fill(step % 251);

export const save = (step: number, size?: number, options: StoreOptions = {}): Promise<void> =>
  checkpointStore(dir, options).save(step, { [FILE]: [content(step, size)] }, { step });

/** The step that loads, after a check of what it holds, and the warnings. */
export const load = async (options: StoreOptions = {}): Promise<{ step: number; warnings: string[] }> => {
  const warnings: string[] = [];
  const { step, files, meta } = await checkpointStore(dir, {
    ...options,
    onWarning: (line) => warnings.push(line),
  }).load();
  expect(meta).toMatchObject({ step });
  expect(files.get(FILE)!.every((byte) => byte === step % 251)).toBe(true);
  return { step, warnings };
};

export const names = async (): Promise<string[]> => (await readdir(dir)).sort();

export const deadPid = (): number => spawnSync(process.execPath, ["-e", ""]).pid;
