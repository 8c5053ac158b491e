import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Json } from "../../models/model.ts";
import { CheckpointError, ConfigError } from "../../util/errors.ts";
import { content, deadPid, dir, FILE, load, names, save } from "./checkpoints.fixture.ts";
import { checkpointStore, type Writers } from "./checkpoints.ts";

/** A manifest whose own hash is right. */
const putManifest = (step: number, manifest: unknown): Promise<void> => {
  const rest = JSON.stringify(manifest).slice(1);
  const sha256 = createHash("sha256").update(rest).digest("hex");
  return writeFile(join(dir, `step-${step}`, "manifest.json"), `{"sha256":"${sha256}",${rest}`);
};

test("saves, loads the newest, keeps two", async () => {
  for (const step of [1, 2, 3]) await save(step);
  expect(await load()).toEqual({ step: 3, warnings: [] });
  expect(await names()).toEqual(["latest", "step-2", "step-3"]);
  await save(4, 10, { keep: 3 });
  await save(5, 0, { keep: 0 });
  expect(await names()).toEqual(["latest", "step-4", "step-5"]);
});

test("an empty folder, and none, have no checkpoint", async () => {
  await expect(load()).rejects.toThrow(CheckpointError);
  await rm(dir, { recursive: true });
  await expect(load()).rejects.toThrow(/looked for .*step-\*, found 0/);
});

describe("a damaged newest checkpoint gives way to the one before, with a warning", () => {
  const damages: [string, (bytes: Buffer) => Uint8Array][] = [
    ["truncated", (b) => b.subarray(0, b.length - 1)],
    ["empty", () => new Uint8Array(0)],
    ["one bit flipped in the middle", (b) => flip(b, b.length >> 1)],
    ["one bit flipped at the start", (b) => flip(b, 0)],
    ["one bit flipped at the end", (b) => flip(b, b.length - 1)],
    ["zero-filled", (b) => new Uint8Array(b.length)],
    ["longer", (b) => Buffer.concat([b, new Uint8Array(1)])],
  ];
  const flip = (bytes: Buffer, at: number): Buffer => {
    bytes[at]! ^= 4;
    return bytes;
  };
  for (const file of [FILE, "manifest.json"]) {
    test.each(damages)(`${file} %s`, async (_, damage) => {
      await save(1);
      await save(2);
      const path = join(dir, "step-2", file);
      await writeFile(path, damage(await readFile(path)));
      const { step, warnings } = await load();
      expect(step).toBe(1);
      expect(warnings.length).toBe(1);
      expect(warnings[0]).toContain(path);
      await expect(load({ strict: true })).rejects.toThrow(CheckpointError);
    });
    test(`${file} missing`, async () => {
      await save(1);
      await save(2);
      await rm(join(dir, "step-2", file));
      expect((await load()).step).toBe(1);
    });
  }

  test("every bit of a manifest counts", async () => {
    await save(1);
    await save(2, 1);
    const path = join(dir, "step-2", "manifest.json");
    const sound = await readFile(path);
    for (let bit = 0; bit < sound.length * 8; bit++) {
      const changed = Buffer.from(sound);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      await writeFile(path, changed);
      expect((await load()).step, `bit ${bit}`).toBe(1);
    }
  });

  test("a changed meta", async () => {
    await save(1);
    await save(2);
    const path = join(dir, "step-2", "manifest.json");
    await writeFile(path, (await readFile(path, "utf8")).replace('"meta":{"step":2}', '"meta":{"step":9}'));
    expect((await load()).step).toBe(1);
  });

  const bad = (file: string) => ({ step: 2, files: { [file]: { sizeBytes: 0, sha256: "" } }, meta: {} });
  test.each([
    ["files null", { step: 2, files: null, meta: {} }],
    ["no files", { step: 2 }],
    ["a list of files", { step: 2, files: [{ sizeBytes: 0, sha256: "" }], meta: {} }],
    ["no meta", { step: 2, files: {} }],
    ["a file of less than nothing", { step: 2, files: { a: { sizeBytes: -1, sha256: "" } }, meta: {} }],
    ["a file of half a byte", { step: 2, files: { a: { sizeBytes: 0.5, sha256: "" } }, meta: {} }],
    ["a hash that is a number", { step: 2, files: { a: { sizeBytes: 0, sha256: 3 } }, meta: {} }],
    ["another step", { step: 1, files: {}, meta: {} }],
    ["an entry null", { step: 2, files: { a: null }, meta: {} }],
    ["an entry without a hash", { step: 2, files: { a: { sizeBytes: 0 } }, meta: {} }],
    ["a name with a slash", bad("a/b")],
    ["a name that leaves the folder", bad("../latest")],
    ["a backslash", bad("..\\x")],
    ["..", bad("..")],
    ["an absolute name", bad("/etc/hostname")],
    ["no name", bad("")],
    ["the manifest itself", bad("manifest.json")],
  ])("a manifest with %s", async (_, manifest) => {
    await save(1);
    await save(2);
    await putManifest(2, manifest);
    const { step, warnings } = await load();
    expect(step).toBe(1);
    expect(warnings[0]).toContain("manifest.json");
  });

  test("a manifest without its hash", async () => {
    await save(1);
    await save(2);
    await writeFile(join(dir, "step-2", "manifest.json"), '{"step":2,"files":null,"meta":{}}');
    expect((await load()).step).toBe(1);
  });
});

test.each(["a/b", "../a", "", ".", "..", "manifest.json", "a\0"])(
  "a file named %j is not saved",
  async (name) => {
    await expect(checkpointStore(dir).save(1, { [name]: [] }, {})).rejects.toThrow(ConfigError);
    expect(await names()).toEqual([]);
  },
);

describe("pruning", () => {
  test("counts sound checkpoints only", async () => {
    await save(1);
    await save(2);
    await writeFile(join(dir, "step-2", FILE), "damaged");
    await save(3);
    expect(await names()).toEqual(["latest", "step-1", "step-2", "step-3"]);
    await writeFile(join(dir, "step-3", FILE), "damaged");
    expect((await load()).step).toBe(1);
    await save(4);
    await save(5);
    expect(await names()).toEqual(["latest", "step-4", "step-5"]);
  });
  test("never takes the one just saved, older than others though it be", async () => {
    for (const step of [7, 8, 3]) await save(step);
    expect(await names()).toEqual(["latest", "step-3", "step-8"]);
    expect((await load()).step).toBe(3);
  });
});

describe("a pointer that is no good gives way to the newest sound checkpoint, with a warning", () => {
  test.each([
    ["missing", undefined],
    ["empty", ""],
    ["unparsable", "step-x\n"],
    ["leading elsewhere", "../step-2"],
    ["dangling", "step-9\n"],
  ])("%s", async (_, pointer) => {
    await save(1);
    await save(2);
    await rm(join(dir, "latest"));
    if (pointer !== undefined) await writeFile(join(dir, "latest"), pointer);
    const { step, warnings } = await load();
    expect(step).toBe(2);
    expect(warnings).toEqual([expect.stringContaining(join(dir, "latest"))]);
    await expect(load({ strict: true })).rejects.toThrow(CheckpointError);
  });
});

describe("what a crash leaves", () => {
  test("temporary things of dead processes go, those of live ones stay", async () => {
    const [dead, live] = [deadPid(), process.ppid];
    await mkdir(join(dir, `step-1.tmp-${dead}`));
    await mkdir(join(dir, `step-1.tmp-${live}`));
    await writeFile(join(dir, `latest.tmp-${dead}`), "");
    await writeFile(join(dir, `latest.tmp-${live}`), "");
    await mkdir(join(dir, `step-5.tmp-${process.pid}`));
    await writeFile(join(dir, `step-5.tmp-${process.pid}`, "stale"), "");
    await save(5);
    expect(await names()).toEqual(["latest", `latest.tmp-${live}`, `step-1.tmp-${live}`, "step-5"]);
    expect((await readdir(join(dir, "step-5"))).sort()).toEqual(["manifest.json", FILE]);
  });

  test("a checkpoint moved aside loads, and comes back with the next save", async () => {
    await save(1);
    await save(2);
    await rename(join(dir, "step-2"), join(dir, `step-2.old-${deadPid()}`));
    expect((await load()).step).toBe(2);
    await save(3);
    expect(await names()).toEqual(["latest", "step-2", "step-3"]);
  });

  test("the one moved aside wins over a damaged one in its place, and loses to a sound one", async () => {
    await save(1);
    await save(2);
    const aside = join(dir, `step-2.old-${deadPid()}`);
    await cp(join(dir, "step-2"), aside, { recursive: true });
    await writeFile(join(dir, "step-2", FILE), "damaged");
    expect((await load()).step).toBe(2);
    await save(3);
    expect(await names()).toEqual(["latest", "step-2", "step-3"]);
    await cp(join(dir, "step-2"), aside, { recursive: true });
    await save(4);
    expect(await names()).toEqual(["latest", "step-3", "step-4"]);
  });

  test("saving a step anew replaces it", async () => {
    await save(1);
    await save(2, 10);
    await checkpointStore(dir).save(2, { [FILE]: [content(2, 20)] }, { step: 2 });
    const { files } = await checkpointStore(dir).load();
    expect(files.get(FILE)!.length).toBe(20);
    expect(await names()).toEqual(["latest", "step-1", "step-2"]);
  });
});

test("ranks write one checkpoint together, of which each has files of its own", async () => {
  let told: [rank: number, own: Json, done: (all: Json[]) => void][] = [];
  const writers = [0, 1].map(
    (rank): Writers => ({
      rank,
      tell: (own) =>
        new Promise((done) => {
          told.push([rank, own, done]);
          if (told.length < 2) return;
          const all = told.toSorted(([a], [b]) => a - b);
          told = [];
          for (const [, , end] of all) end(all.map(([, said]) => said));
        }),
    }),
  );
  for (const step of [1, 2, 3]) {
    const files = (rank: number) => ({ [`part-${rank}.bin`]: [content(step, 10 + rank)] });
    await Promise.all(
      writers.map((w) => checkpointStore(dir, { writers: w }).save(step, files(w.rank), { by: w.rank })),
    );
  }
  expect(await names()).toEqual(["latest", "step-2", "step-3"]);
  const { files, meta } = await checkpointStore(dir).load();
  expect(meta).toEqual({ by: 0 });
  expect([...files]).toEqual([0, 1].map((rank) => [`part-${rank}.bin`, content(3, 10 + rank)]));
  const some = await checkpointStore(dir).load((name) => name === "part-1.bin");
  expect([...some.files.keys()]).toEqual(["part-1.bin"]);
});
