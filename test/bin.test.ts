/** What bin/anneal.js says where there is nothing to run. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const root = mkdtempSync(join(tmpdir(), "anneal-bin-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("without a build it says how to make one, as text and as JSON", () => {
  mkdirSync(join(root, "bin"));
  writeFileSync(join(root, "package.json"), '{"type": "module"}');
  cpSync(fileURLToPath(new URL("../bin/anneal.js", import.meta.url)), join(root, "bin/anneal.js"));
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(root, "bin/anneal.js"), ...args], { encoding: "utf8" });
  const text = run("train");
  expect([text.status, text.stdout]).toEqual([4, ""]);
  expect(text.stderr).toContain("npm run build");
  expect(text.stderr).not.toMatch(/\n\s+at /);
  const json = JSON.parse(run("train", "--json").stdout) as { error: { hint: string } };
  expect(json.error.hint).toContain("npm run build");
});
