import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Document } from "../../data/records/document.ts";
import type { DataError } from "../../util/errors.ts";
import { type ReadOptions, readDocuments } from "./read.ts";

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-read-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const put = async (name: string, data: string | Uint8Array): Promise<string> => {
  const path = join(dir, name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, data);
  return path;
};
const read = async (paths: string[], options: ReadOptions = {}): Promise<Document[]> => {
  const list: Document[] = [];
  for await (const doc of readDocuments(paths, options)) list.push(doc);
  return list;
};

test("reads every kind, plain and gzipped", async () => {
  const jsonl = '{"text":"one"}\n\n{"text":"two","x":1}\n';
  const files = [
    await put("a.txt", "plain\n"),
    await put("b.md.gz", gzipSync("# zipped\n")),
    await put("c.jsonl", jsonl),
    await put("d.jsonl.gz", gzipSync(jsonl)),
    await put("e.csv", 'id,text\n1,"a, quoted ""text""\nover lines"\n2,b\n'),
    await put("f.tsv", "content\tlabel\nhello\t1\n"),
  ];
  expect((await read(files)).map((d) => d.text.trim())).toEqual([
    "plain",
    "# zipped",
    "one",
    "two",
    "one",
    "two",
    'a, quoted "text"\nover lines',
    "b",
    "hello",
  ]);
});

test("folders and globs come in a fixed order, without node_modules", async () => {
  await put("tree/b.txt", "b");
  await put("tree/a/x.md", "x");
  await put("tree/node_modules/skip.md", "skip");
  await put("tree/other.bin", "no");
  expect((await read([join(dir, "tree")])).map((d) => d.text.trim())).toEqual(["x", "b"]);
  expect((await read([join(dir, "tree/**/*.md")])).map((d) => d.text.trim())).toEqual(["x", "skip"]);
});

test("a large text file becomes documents cut at blank lines, and nothing is lost", async () => {
  const text = Array.from({ length: 9000 }, (_, i) =>
    i % 10 === 9 ? "" : `line ${i} of a long file of text`,
  ).join("\n");
  const list = await read([await put("long.txt", `${text}\n`)]);
  expect(list.length).toBeGreaterThan(5);
  expect(list.map((d) => d.text).join("")).toBe(`${text}\n`);
  expect(list[1]!.id).toMatch(/long\.txt:\d+$/);
});

test("a small text file is one document, or several where it is to be cut", async () => {
  const text = `${"a line of prose\n".repeat(40)}\n`.repeat(60);
  const path = await put("small.txt", text);
  expect(await read([path])).toHaveLength(1);
  const cut = await read([path], { wholeBytes: 0 });
  expect(cut.length).toBeGreaterThan(3);
  expect(cut.map((d) => d.text).join("")).toBe(text);
});

const failure = async (paths: string[], options: ReadOptions = {}): Promise<DataError> =>
  read(paths, options).then(
    () => expect.unreachable("it should have failed"),
    (error) => error as DataError,
  ) as Promise<DataError>;

test("a missing path names the nearest one", async () => {
  await put("corpus.txt", "x");
  const error = await failure([join(dir, "corpsu.txt")]);
  expect(error.message).toMatch(/no such file/);
  expect(error.details.hint).toMatch(/corpus\.txt/);
});

test("a torn JSON line names file and line, and can be counted instead", async () => {
  const path = await put("torn.jsonl", '{"text":"good"}\n{"text":"to\n{"text":"also good"}\n');
  expect((await failure([path])).message).toMatch(/torn\.jsonl:2/);
  const skipped: DataError[] = [];
  const list = await read([path], { skipBadRows: true, onSkip: (e) => skipped.push(e) });
  expect(list.map((d) => d.text)).toEqual(["good", "also good"]);
  expect(skipped).toHaveLength(1);
});

test("a wrong field lists those that are there", async () => {
  const path = await put("fields.jsonl", '{"body":"x","id":3}\n');
  expect((await failure([path])).details.hint).toMatch(/body, id/);
  expect((await read([path], { field: "body" }))[0]!.text).toBe("x");
});

test("bytes that are not UTF-8 are refused with their place", async () => {
  const path = await put("latin1.txt", Uint8Array.of(0x63, 0x61, 0x66, 0xe9, 0x0a));
  const error = await failure([path]);
  expect(error.message).toMatch(/latin1\.txt.*byte 3.*UTF-8/);
  expect(await read([path], { skipBadRows: true })).toEqual([]);
});

test("a line beyond the limit is refused before it fills the memory", async () => {
  const path = await put("wide.jsonl.gz", gzipSync(Buffer.alloc(8 << 20, 97)));
  expect((await failure([path], { maxRecordBytes: 1 << 20 })).message).toMatch(/longer than 1 MiB/);
});

test("a folder without text, and a torn gzip, are errors", async () => {
  await put("empty/x.bin", "x");
  expect((await failure([join(dir, "empty")])).message).toMatch(/no file that can be read/);
  const zipped = gzipSync("some text that goes on and on ".repeat(100));
  const torn = await put("torn.txt.gz", zipped.subarray(0, zipped.length - 20));
  expect((await failure([torn])).message).toMatch(/torn\.txt\.gz.*cannot be read/);
});
