import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RunError } from "../../util/errors.ts";
import { inScratch, makeScratch } from "./scratch.ts";

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "anneal-scratch-"));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

/** The id of a process that has ended. */
const gone = (): number => spawnSync(process.execPath, ["-e", ""]).pid;

const folderOf = async (purpose: string, host: string, pid: number): Promise<string> => {
  const name = `anneal-${purpose}-${host}-${pid}-Ab3x9Z`;
  await mkdir(join(place, name));
  await writeFile(join(place, name, "model.onnx"), "half");
  return name;
};

test("what killed processes of this machine left is deleted, of any purpose; all else stays", async () => {
  const dead = gone();
  await folderOf("judge", hostname(), dead);
  await folderOf("verify", hostname(), dead);
  const kept = [
    await folderOf("judge", hostname(), process.pid),
    await folderOf("judge", `${hostname()}-other`, dead),
    "anneal-notes",
  ];
  await mkdir(join(place, "anneal-notes"));
  const made = await makeScratch("judge", place);
  expect(readdirSync(place).sort()).toEqual([...kept, made.slice(place.length + 1)].sort());
});

test("the folder goes with its work, also where that fails", async () => {
  let dir = "";
  const failing = inScratch("judge", async (own) => {
    dir = own;
    await writeFile(join(own, "file"), "x");
    throw new RunError("failed");
  });
  await expect(failing).rejects.toThrow("failed");
  expect(dir).toContain(`anneal-judge-${hostname()}-${process.pid}-`);
  expect(existsSync(dir)).toBe(false);
});

test("where none can be made, the error names the place and TMPDIR", async () => {
  const none = join(place, "none");
  const making = makeScratch("judge", none);
  await expect(making).rejects.toBeInstanceOf(RunError);
  await expect(making).rejects.toMatchObject({
    details: { file: none, hint: expect.stringContaining("TMPDIR") },
  });
});
