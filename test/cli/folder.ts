/** A folder of its own for each test of a file that imports this. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";

export let dir = "";

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "anneal-cli-"));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));
