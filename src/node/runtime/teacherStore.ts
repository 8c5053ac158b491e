/** What a teacher said of batches, a file for each, by the contents of the batch. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Feeds } from "../../engine/engine.ts";
import type { Model } from "../../models/model.ts";
import { writeFileDurable } from "../files/files.ts";
import { bytesOf, modelHash } from "./modelHash.ts";

const keyOf = (batch: Feeds): string => {
  const hash = createHash("sha256");
  for (const name of Object.keys(batch).sort()) {
    const { dtype, shape, data } = batch[name]!;
    hash.update(JSON.stringify([name, dtype, shape]));
    hash.update(bytesOf(data as ArrayBufferView));
  }
  return hash.digest("hex").slice(0, 32);
};

/** What was kept of a teacher, by the contents of a batch. */
export interface TeacherFiles {
  find(batch: Feeds): Promise<Uint8Array | undefined>;
  keep(batch: Feeds, bytes: Uint8Array): Promise<void>;
}

/** Which teacher's sayings are kept, how much of them, and where. */
export interface TeacherStoreOptions {
  readonly topK: number;
  /** Of its matrices while it teaches. */
  readonly bits: number;
  /** A folder that teachers share. */
  readonly dir: string;
}

/** The store of a dense teacher. Writing throws RunError where the disk is full. */
export const teacherStore = (teacher: Model, { topK, bits, dir }: TeacherStoreOptions): TeacherFiles => {
  const own = modelHash(teacher).update(`top ${topK} of ${bits} bits`).digest("hex").slice(0, 16);
  const fileOf = (batch: Feeds): string => join(dir, own, `${keyOf(batch)}.bin`);
  return {
    find: (batch) => readFile(fileOf(batch)).catch(() => undefined),
    keep: (batch, bytes) => writeFileDurable(fileOf(batch), [bytes]),
  };
};
