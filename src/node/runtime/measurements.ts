/**
 * What was measured of a model on some text, kept by content: the same model on the same text by the same
 * version is not measured again. Only what took a while is kept, and not for ever.
 */
import { createHash, type Hash } from "node:crypto";
import { readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { cpus, homedir } from "node:os";
import { join } from "node:path";
import type { Json, Model } from "../../models/model.ts";
import { writeFileDurable } from "../files/files.ts";
import { modelHash } from "./modelHash.ts";

/** Results that are kept. */
export interface Measurements {
  /** What `make` gives for a name, or gave before. `about` is what the result depends on besides. */
  of<T extends Json>(name: string, about: Json, make: () => Promise<T>): Promise<T>;
}

/** What is measured, and where results are kept. */
export interface MeasurementsOptions {
  /** The version of what measures. */
  readonly version: string;
  /** ~/.cache/anneal/measured unless told. */
  readonly dir?: string;
  /** What took less is not kept; 2000 unless told. */
  readonly leastMs?: number;
  /** Told of a result that was there. */
  readonly onFound?: (name: string) => void;
}

/** Files that are kept: those that were used last. */
const KEPT = 64;

/** Removes files that were not used for longest. */
const sweep = async (dir: string): Promise<void> => {
  const names = await readdir(dir);
  if (names.length <= KEPT) return;
  const used = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(dir, name))).mtimeMs })),
  );
  used.sort((a, b) => b.at - a.at);
  for (const { name } of used.slice(KEPT)) await rm(join(dir, name), { force: true });
};

const read = async <T extends Json>(file: string): Promise<T | undefined> => {
  try {
    const found = JSON.parse(await readFile(file, "utf8")) as T;
    await utimes(file, new Date(), new Date());
    return found;
  } catch {
    return undefined;
  }
};

/** Where nothing can be kept it is measured anew. */
const keep = async (dir: string, file: string, found: Json): Promise<void> => {
  try {
    await writeFileDurable(file, [new TextEncoder().encode(JSON.stringify(found))]);
    await sweep(dir);
  } catch {
    // As said.
  }
};

/** Measurements of what `hashOf` tells apart. */
const kept = (hashOf: () => Hash, options: MeasurementsOptions): Measurements => {
  const { version, leastMs = 2000, onFound } = options;
  const { dir = join(homedir(), ".cache", "anneal", "measured") } = options;
  let hash: Hash | undefined;
  return {
    of: async (name, about, make) => {
      hash ??= hashOf();
      const id = hash
        .copy()
        .update(JSON.stringify([version, name, about]))
        .digest("hex")
        .slice(0, 32);
      const file = join(dir, `${id}.json`);
      const known = await read<Awaited<ReturnType<typeof make>>>(file);
      if (known !== undefined) {
        onFound?.(name);
        return known;
      }
      const started = performance.now();
      const found = await make();
      if (performance.now() - started >= leastMs) await keep(dir, file, found);
      return found;
    },
  };
};

/** The measurements of a model, whose numbers count. */
export const measurements = (model: Model, options: MeasurementsOptions): Measurements =>
  kept(() => modelHash(model), options);

/** The measurements of a model's shape on this machine, whatever its numbers are. */
export const shapeMeasurements = ({ arch, config }: Model, options: MeasurementsOptions): Measurements => {
  const machine = [arch.name, config, cpus()[0]?.model ?? "", cpus().length, process.arch];
  return kept(() => createHash("sha256").update(JSON.stringify(machine)), options);
};
