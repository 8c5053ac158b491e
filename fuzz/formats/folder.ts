/** Folders for readers that take a path; they go with the process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), "anneal-fuzz-"));
  process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
  return dir;
};
