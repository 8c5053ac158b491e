import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigError } from "../../util/errors.ts";
import { claimFolder, mark } from "./claim.ts";
import { MARKER, markerOf } from "./marker.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-claim-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const claim = { kind: "data", results: /^(train\.jsonl|README\.md)$/ } as const;

describe("a folder is taken", () => {
  test("where there is none, or an empty one, and again", async () => {
    for (const out of [join(dir, "new/er"), join(dir, "new/er"), dir]) {
      if (out === dir) await rm(join(dir, "new"), { recursive: true });
      expect(await claimFolder(out, claim)).toEqual([]);
      expect(await markerOf(out)).toEqual({ kind: "data", files: [] });
    }
  });

  test("with the names of what an earlier run wrote, beside files of the user's of other names", async () => {
    await claimFolder(dir, claim);
    await mark(dir, "data", ["train.jsonl"]);
    await writeFile(join(dir, "train.jsonl"), "ours");
    await writeFile(join(dir, "notes.txt"), "theirs");
    expect(await claimFolder(dir, claim)).toEqual(["train.jsonl"]);
  });

  test("where a killed process left half a marker", async () => {
    await writeFile(join(dir, `${MARKER}.tmp-1`), "{");
    expect(await claimFolder(dir, claim)).toEqual([]);
  });
});

describe("a folder of the user's is refused, and stays as it is", () => {
  test.each([
    ["a file", { "notes.txt": "mine" }],
    ["a marker that is no marker", { [MARKER]: '{"mine": true}' }],
    ["a marker that is no JSON", { [MARKER]: "mine" }],
    ["a marker of another kind", { [MARKER]: '{"kind": "model", "files": []}' }],
    ["a hidden file", { ".env": "secret" }],
    ["a result's name beside our marker", { [MARKER]: '{"kind":"data","files":[]}', "README.md": "mine" }],
  ])("%s", async (_, files) => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
    await expect(claimFolder(dir, claim)).rejects.toThrow(ConfigError);
    expect((await readdir(dir)).sort()).toEqual(Object.keys(files).sort());
    for (const [name, text] of Object.entries(files))
      expect(await readFile(join(dir, name), "utf8")).toBe(text);
  });

  test("a file in its place", async () => {
    await writeFile(join(dir, "x"), "");
    await expect(claimFolder(join(dir, "x"), claim)).rejects.toThrow(/is no folder/);
  });

  test("a folder that cannot be made ends at once", async () => {
    if (process.platform !== "linux") return;
    await mkdir(join(dir, "y"));
    await expect(claimFolder("/proc/anneal/deep", claim)).rejects.toThrow(/making the folder failed/);
  });
});
