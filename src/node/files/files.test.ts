import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigError, RunError } from "../../util/errors.ts";
import { guarded, MARKER, writeFileDurable, writeFolder, writeInto } from "./files.ts";
import { settle } from "./leftovers.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-files-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array[] => [new TextEncoder().encode(text)];
const files = (text: string) =>
  new Map([
    [MARKER, bytes("{}")],
    ["onnx/model.onnx", bytes(text)],
  ]);
const model = (out: string): Promise<string> => readFile(join(out, "onnx/model.onnx"), "utf8");

describe("writeFolder", () => {
  test.each(["out", "out/", "deep/er/out//"])(
    "makes and replaces %s, leaving nothing beside it",
    async (name) => {
      const out = `${dir}/${name}`;
      for (const text of ["one", "two"]) {
        await writeFolder(out, files(text));
        expect(await model(out)).toBe(text);
        expect(await readdir(join(out, ".."))).toEqual(["out"]);
      }
    },
  );

  test("takes an empty folder and drops what the earlier one had", async () => {
    const out = join(dir, "out");
    await mkdir(out);
    await writeFolder(out, new Map([...files("one"), ["extra", bytes("x")]]));
    await writeFolder(out, files("two"));
    expect((await readdir(out)).sort()).toEqual([MARKER, "onnx"]);
  });

  test("refuses a file in its place and leaves it", async () => {
    const out = join(dir, "notes.txt");
    await writeFile(out, "mine");
    await expect(writeFolder(out, files("one"))).rejects.toThrow(ConfigError);
    await expect(writeFolder(`${out}/`, files("one"))).rejects.toThrow(ConfigError);
    await expect(writeFolder(join(out, "below"), files("one"))).rejects.toThrow(ConfigError);
    expect(await readFile(out, "utf8")).toBe("mine");
    expect(await readdir(dir)).toEqual(["notes.txt"]);
  });

  test("refuses a folder of other files and leaves it", async () => {
    await writeFile(join(dir, "mine"), "mine");
    await expect(writeFolder(dir, files("one"))).rejects.toThrow(ConfigError);
    expect(await readdir(dir)).toEqual(["mine"]);
  });

  test("refuses to replace an earlier one that the user has put files into", async () => {
    const out = join(dir, "out");
    await writeFolder(out, files("one"));
    await mkdir(join(out, "onnx/.git"));
    await writeFile(join(out, "onnx/.git/HEAD"), "mine");
    await writeFile(join(out, "parity.json"), "{}");
    const error = await writeFolder(out, files("two")).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).message).toContain("onnx/.git/HEAD");
    expect((error as ConfigError).message).not.toContain("parity.json");
    expect(await model(out)).toBe("one");
    await rm(join(out, "onnx/.git"), { recursive: true });
    await writeFolder(out, files("two"));
    expect(await model(out)).toBe("two");
  });

  test.each(['{"mine": true}', "[]", "mine"])("takes a marker of %s for the user's own", async (marker) => {
    await writeFile(join(dir, MARKER), marker);
    await expect(writeFolder(dir, files("one"))).rejects.toThrow(ConfigError);
    expect(await readFile(join(dir, MARKER), "utf8")).toBe(marker);
  });

  test("an unreadable place is an error, not an empty one", async () => {
    const out = join(dir, "loop");
    await symlink("loop", out);
    await expect(writeFolder(out, files("one"))).rejects.toThrow(/ELOOP/);
  });

  test("names that leave the folder are refused and the earlier folder stays", async () => {
    const out = join(dir, "out");
    await writeFolder(out, files("one"));
    for (const name of ["../x", "/x", "a/../../x", "./x", "a//x", "..", ".", ""]) {
      const bad = new Map([...files("two"), [name, bytes("x")]]);
      await expect(writeFolder(out, bad), name).rejects.toThrow(ConfigError);
    }
    expect(await model(out)).toBe("one");
    expect(await readdir(dir)).toEqual(["out"]);
  });

  test("a leftover of an earlier process of the same id is not mixed in", async () => {
    const out = join(dir, "out");
    await mkdir(`${out}.tmp-${process.pid}`);
    await writeFile(`${out}.tmp-${process.pid}/stale`, "");
    await writeFolder(out, files("one"));
    expect((await readdir(out)).sort()).toEqual([MARKER, "onnx"]);
  });
});

describe("what a killed writer left", () => {
  const dead = spawnSync(process.execPath, [
    "-e",
    "process.stdout.write(String(process.pid))",
  ]).stdout.toString();

  test("between the two renames of a swap, the earlier folder comes back", async () => {
    const out = join(dir, "out");
    await writeFolder(out, files("one"));
    await rename(out, `${out}.old-${dead}`);
    await mkdir(`${out}.tmp-${dead}`);
    await settle(out);
    expect(await model(out)).toBe("one");
    expect(await readdir(dir)).toEqual(["out"]);
  });

  test("after them, the earlier folder goes; what a live process is writing stays", async () => {
    const out = join(dir, "out");
    await writeFolder(out, files("one"));
    for (const name of [`old-${dead}`, `tmp-${dead}`, `tmp-${process.ppid}`]) await mkdir(`${out}.${name}`);
    await mkdir(`${out}.tmp-`);
    await settle(out);
    expect((await readdir(dir)).sort()).toEqual(["out", "out.tmp-", `out.tmp-${process.ppid}`]);
    await writeFile(`${out}.txt.tmp-${dead}`, "half");
    await writeFileDurable(`${out}.txt`, bytes("whole"));
    expect(await readdir(dir)).toContain("out.txt");
    expect(await readdir(dir)).not.toContain(`out.txt.tmp-${dead}`);
  });
});

test("writeInto says size and hash", async () => {
  const written = await writeInto(dir, new Map([["a", [...bytes("ab"), ...bytes("c")]]]));
  const sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  expect(written.get("a")).toEqual({ sizeBytes: 3, sha256 });
});

test("writeFileDurable replaces; where it cannot, it names the file and leaves no temporary one", async () => {
  const path = join(dir, "a/b.txt");
  await writeFileDurable(path, bytes("one"));
  await writeFileDurable(path, bytes("two"));
  expect(await readFile(path, "utf8")).toBe("two");
  const error = await writeFileDurable(join(dir, "a"), bytes("x")).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(RunError);
  expect((error as RunError).details.file).toBe(join(dir, "a"));
  expect(await readdir(dir)).toEqual(["a"]);
  await expect(writeFileDurable(join(path, "c"), bytes("x"))).rejects.toThrow(/ENOTDIR|EEXIST/);
});

test.each(["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EIO", "EMFILE", "ENOTDIR", "EEXIST"])(
  "%s has a hint",
  async (code) => {
    const fails = guarded("writing", "x", () => Promise.reject(Object.assign(new Error("no"), { code })));
    const error = await fails.catch((e: unknown) => e);
    expect(error).toBeInstanceOf(RunError);
    expect((error as RunError).message).toBe(`x: writing failed (${code})`);
    expect((error as RunError).details.hint).toBeTypeOf("string");
  },
);
