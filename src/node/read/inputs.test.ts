import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { DataError } from "../../util/errors.ts";
import { kindOf, shownKinds } from "./inputs.ts";
import { listInputs, readDocuments } from "./read.ts";

const made: string[] = [];
let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-inputs-"));
  made.push(dir);
});
afterAll(() => Promise.all(made.map((each) => rm(each, { recursive: true, force: true }))));

const put = async (name: string, data = "x"): Promise<string> => {
  const path = join(dir, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, data);
  return path;
};
const link = async (name: string, target: string): Promise<void> => {
  await mkdir(dirname(join(dir, name)), { recursive: true });
  await symlink(target, join(dir, name));
};
const listed = async (...paths: string[]) => {
  const told: string[] = [];
  const onLeftOut = (_: string, left: Parameters<typeof shownKinds>[0]): void =>
    void told.push(shownKinds(left));
  const files = await listInputs(
    paths.map((path) => join(dir, path)),
    { onLeftOut },
  );
  return { names: files.map(({ name }) => name), told };
};

test("names with # and ? are names of files; of addresses they are no part", async () => {
  await put("C# basics.md");
  await put("What now?.txt");
  await put("c#/rows #1.csv", "id,text\n1,one\n");
  await put("[brackets] {x}.txt");
  const { names } = await listed(".");
  expect(names).toEqual(["C# basics.md", "What now?.txt", "[brackets] {x}.txt", "c#/rows #1.csv"]);
  expect((await listed("What now?.txt", "c#/rows #1.csv")).names).toEqual(["What now?.txt", "rows #1.csv"]);
  const rows: string[] = [];
  for await (const { text } of readDocuments([join(dir, "c#/rows #1.csv")])) rows.push(text);
  expect(rows).toEqual(["one"]);
  expect(kindOf("https://x.org/a.csv?download=1#b.txt")).toBe("csv");
  expect(kindOf("dir/a?b#c.JSONL.gz")).toBe("jsonl");
});

test("links to files are read under their names, as those of a cache of Hugging Face", async () => {
  await put("hub/blobs/aaa", '{"text":"one"}\n');
  await put("hub/blobs/bbb", "text\ntwo\n");
  await link("hub/snapshots/rev/data/train.jsonl", "../../../blobs/aaa");
  await link("hub/snapshots/rev/table.csv", "../../blobs/bbb");
  expect(await listed("hub/snapshots/rev")).toEqual({ names: ["data/train.jsonl", "table.csv"], told: [] });
  expect((await listed("hub/snapshots/rev/**/*.jsonl")).names).toEqual(["data/train.jsonl"]);
  // What links lead to is read, and not told to be left out.
  expect((await listed("hub")).told).toEqual([]);
  const texts: string[] = [];
  for await (const { text } of readDocuments([join(dir, "hub")])) texts.push(text);
  expect(texts).toEqual(["one", "two"]);
});

test("a file is read once, by whatever links it is reached; folders in a circle are entered once", async () => {
  await put("a/real.txt");
  await link("a/same.txt", "real.txt");
  await link("a/up", "..");
  await link("b/to-a", "../a");
  await link("b/self", ".");
  await link("b/round", "../b/round");
  const { names, told } = await listed(".");
  expect(names).toEqual(["a/real.txt"]);
  expect(told).toEqual(["1 links that lead nowhere"]);
  expect((await listed("b")).names).toEqual(["to-a/real.txt"]);
});

test("links that lead nowhere are told of", async () => {
  await put("a.txt");
  await link("gone.jsonl", "no/such/file");
  expect(await listed(".")).toEqual({ names: ["a.txt"], told: ["1 links that lead nowhere"] });
  const error: unknown = await listed("gone.jsonl").catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(DataError);
  expect((error as DataError).message).toMatch(/is a link that leads nowhere/);
});

test("what is not read of a folder or a glob is counted by its kind", async () => {
  await put("a.jsonl");
  await put("b.jsonlines");
  for (const name of ["c.log", "d.LOG", "e.jsonl.bz2", "part-0000", "config.json", "v1.2 notes"])
    await put(name);
  await put(".hidden.log");
  await put("node_modules/x/y.log");
  const { names, told } = await listed(".");
  expect(names).toEqual(["a.jsonl", "b.jsonlines"]);
  expect(told).toEqual(["2 .log, 2 without an ending, 1 .jsonl.bz2, 1 of settings (.json)"]);
  expect((await listed("*.{log,jsonl}")).told).toEqual(["1 .log"]);
  const error = (await listed("*.log").catch((cause: unknown) => cause)) as DataError;
  expect(error.message).toMatch(/no file that can be read \(1 \.log\)/);
});
