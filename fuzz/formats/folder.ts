/** Folders for readers that take a path; they go with the process. */
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

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

export const folder = (): string => {
  const dir = mkdtempSync(join(place(), "anneal-fuzz-"));
  process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
  return dir;
};
