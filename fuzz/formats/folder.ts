/** Folders for readers that take a path; they go with the process, or with the next one. */
import { accessSync, constants, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { makeScratch } from "../../src/node/files/scratch.ts";

const MEMORY = "/dev/shm";

/** In memory where there is such a place, for a case writes a file and must not wait for a disk. */
const place = (): string => {
  try {
    accessSync(MEMORY, constants.W_OK);
    return MEMORY;
  } catch {
    return tmpdir();
  }
};

export const folder = async (): Promise<string> => {
  const dir = await makeScratch("fuzz", place());
  process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
  return dir;
};
