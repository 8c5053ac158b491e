/** A folder of its own for each test of a file that imports this. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach } from "vitest";

const root = mkdtempSync(join(tmpdir(), "anneal-cli-unit-"));

export let cwd = "";

let made = 0;

beforeEach(() => {
  cwd = join(root, String(made++));
  mkdirSync(cwd);
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

export const write = (name: string, text: string): void => writeFileSync(join(cwd, name), text);
