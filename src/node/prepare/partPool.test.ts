/** Parts made by threads: the same as one by one, and errors that keep their kind. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { pipelineDefaults } from "../../data/pipeline/stages.ts";
import { DataError } from "../../util/errors.ts";
import { rng } from "../../util/rng.ts";
import { makeParts } from "./partPool.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-part-pool-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const settings = {
  pipeline: { ...pipelineDefaults, filter: { preset: "none" } },
  read: {},
  evaluation: [],
} as const;
const words = "river stone lamp winter harbour copper glass cloud bread wolf moon sun".split(" ");
const random = rng(4, "parts");
const line = (): string => Array.from({ length: 40 }, () => words[random.int(words.length)]).join(" ");

let files: { path: string; sizeBytes: number }[];
beforeAll(() => {
  // Together more than what threads are started for.
  files = [2400, 1500, 900].map((lines, i) => {
    const path = join(dir, `${i}.jsonl`);
    const rows = Array.from({ length: lines }, () => JSON.stringify({ text: line() }));
    writeFileSync(path, rows.join("\n"));
    return { path, sizeBytes: statSync(path).size };
  });
  expect(files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)).toBeGreaterThan(2 ** 20);
});

const made = (name: string, threads: number) => makeParts(files, { dir: join(dir, name), settings, threads });

const bytesOf = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .sort()
      .filter((name) => statSync(join(folder, name)).isFile())
      .map((name) => [name, readFileSync(join(folder, name), "latin1")]),
  );

it("two threads make the bytes of one, in the order of the files", async () => {
  const [one, two] = [await made("one", 1), await made("two", 2)];
  expect(two.map(({ stats }) => stats.path)).toEqual(files.map(({ path }) => path));
  expect(two.map(({ stats }) => stats)).toEqual(one.map(({ stats }) => stats));
  expect(two.every(({ reused }) => !reused)).toBe(true);
  expect(bytesOf(join(dir, "two"))).toEqual(bytesOf(join(dir, "one")));
  expect((await made("two", 2)).every(({ reused }) => reused)).toBe(true);
});

it("an error on a thread is the error that it was", async () => {
  const torn = join(dir, "torn.jsonl");
  writeFileSync(torn, `${JSON.stringify({ text: line() })}\n{"text": `);
  const all = [...files, { path: torn, sizeBytes: statSync(torn).size }];
  const failed = await makeParts(all, { dir: join(dir, "torn"), settings, threads: 2 }).catch(
    (error) => error,
  );
  expect(failed).toBeInstanceOf(DataError);
  expect(failed.details).toMatchObject({ file: torn, line: 2 });
});

it("ends with the signal's reason", async () => {
  const controller = new AbortController();
  const running = makeParts(files, {
    dir: join(dir, "off"),
    settings,
    threads: 2,
    signal: controller.signal,
  });
  controller.abort(new Error("enough"));
  await expect(running).rejects.toThrow("enough");
});
