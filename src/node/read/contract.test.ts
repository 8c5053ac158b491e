import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Document } from "../../data/records/document.ts";
import { DataError } from "../../util/errors.ts";
import { type ReadOptions, readDocuments } from "./read.ts";

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-contract-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const put = async (name: string, data: string | Uint8Array): Promise<string> => {
  await mkdir(join(dir, name, ".."), { recursive: true });
  await writeFile(join(dir, name), data);
  return join(dir, name);
};
const read = async (paths: string[], options: ReadOptions = {}): Promise<Document[]> => {
  const list: Document[] = [];
  for await (const doc of readDocuments(paths, options)) list.push(doc);
  return list;
};
const texts = async (paths: string[], options: ReadOptions = {}): Promise<string[]> =>
  (await read(paths, options)).map(({ text }) => text.trim());
const failure = async (paths: string[], options: ReadOptions = {}): Promise<DataError> => {
  const error = await read(paths, options).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(DataError);
  return error as DataError;
};
const counted = async (path: string, options: ReadOptions = {}) => {
  const errors: string[] = [];
  const kept = await texts([path], { ...options, skipBadRows: true, onSkip: (e) => errors.push(e.message) });
  return { kept, errors };
};
/** Files that this process holds open under the test's folder. */
const openFiles = async (): Promise<number> => (await readdir("/proc/self/fd").catch(() => [])).length;

test("the byte that is not UTF-8 is named, across chunks and after a replacement character", async () => {
  const before = `\ufffd${"x".repeat(200_000)}\n\u00e9`;
  const at = Buffer.byteLength(before);
  const path = await put(
    "bad.txt",
    Buffer.concat([Buffer.from(before), Buffer.of(0xc3), Buffer.from("z".repeat(70_000))]),
  );
  expect((await failure([path])).details.offset).toBe(at);
  const torn = await put("end.txt", Buffer.concat([Buffer.from("abc"), Buffer.of(0xe2, 0x82)]));
  expect((await failure([torn])).details.offset).toBe(3);
  const split = `${"a".repeat(65_535)}\u20ac\n`;
  expect(await texts([await put("split.txt", split)])).toEqual([split.trim()]);
});

const PERSONAL = "jane.doe@example.com";

test.each([
  ["a row that is an address", "a.jsonl", `${PERSONAL}\n`],
  ["an address that V8 cuts", "b.jsonl", `{"text": ${PERSONAL}}\n`],
  ["an address beside the fault", "c.jsonl", `{"a":tru,  "b": "${PERSONAL}"}\n`],
  ["a number in an array", "d.json", `[{"text": +1 202 555 0147}]`],
  ["a table without a header", "e.csv", `1,${PERSONAL}\n2,x\n`],
  ["conversations in cells", "f.csv", `messages,n\n"[{""role"": ${PERSONAL}}]",1\n`],
])("no message shows personal data: %s", async (_, name, data) => {
  const { message, details } = await failure([await put(`personal/${name}`, data)]);
  expect(`${message} ${details.hint}`).not.toMatch(/jane|doe@|202|0147/);
});

test("fields that are not read are named without personal data", async () => {
  const told: string[] = [];
  const path = await put("personal/unread.csv", `text,${PERSONAL}\none two,1\n`);
  await read([path], { onWarning: (line) => told.push(line) });
  expect(told).toEqual(["these fields are not read: <EMAIL>"]);
});

test("a torn row without personal data is quoted where it is torn", async () => {
  expect((await failure([await put("torn.jsonl", '{"text": yes}\n')])).message).toContain('{"text": yes}');
});

test("one bad row of JSON lines costs that row alone", async () => {
  const rows = [
    `{"text":"one"}\n`,
    Buffer.of(0x22, 0xff, 0x0a),
    `{"text":"two"}\n`,
    `[1]\n`,
    `{"x":1}\n`,
    `{"text":["a"]}\n`,
    `{"text":"three"}`,
  ];
  const path = await put("rows.jsonl", Buffer.concat(rows.map((row) => Buffer.from(row))));
  const { kept, errors } = await counted(path);
  expect(kept).toEqual(["one", "two", "three"]);
  expect(errors.map((e) => /jsonl:(\d)/.exec(e)?.[1])).toEqual(["2", "4", "5", "6"]);
  expect(errors[0]).toMatch(/byte 16/);
});

test("prototypes are no fields", async () => {
  const path = await put("proto.jsonl", '{"__proto__":{"text":"x"},"constructor":1}\n');
  expect((await failure([path])).message).toMatch(/no field/);
  expect(await texts([await put("odd.constructor", "plain")])).toEqual(["plain"]);
});

test("text without blank lines is cut at line ends, and nothing is lost", async () => {
  const text = Array.from({ length: 40_000 }, (_, i) => `a sentence with the number ${i}\n`).join("");
  const list = await read([await put("lines.txt", text)]);
  expect(list.map((doc) => doc.text).join("")).toBe(text);
  expect(Math.max(...list.map((doc) => doc.text.length))).toBeLessThan(64 * 1024);
  expect(new Set(list.map(({ id }) => id)).size).toBe(list.length);
});

test("a small gzipped text is one document, like a plain one", async () => {
  const text = Array.from({ length: 2000 }, (_, i) => `paragraph ${i}\n\n`).join("");
  expect(await read([await put("small.txt.gz", gzipSync(text))])).toHaveLength(1);
  expect(await read([await put("small.txt", text)])).toHaveLength(1);
});

test("a gzip bomb meets the limit of a line, in every kind", async () => {
  const bomb = gzipSync(Buffer.alloc(32 << 20, 97));
  for (const kind of ["txt", "jsonl", "csv"]) {
    const error = await failure([await put(`bomb.${kind}.gz`, bomb)], { maxRecordBytes: 1 << 20 });
    expect(error.message).toMatch(new RegExp(`bomb.${kind}.gz`));
  }
});

test("tables: quotes in TSV are text, numbers are columns, ragged and torn rows are counted", async () => {
  const tsv = await put("plain.tsv", `say "hi\t1\n"quoted" start\t0\n`);
  expect(await texts([tsv], { field: "#1" })).toEqual(['say "hi', '"quoted" start']);
  expect((await failure([tsv], { field: "#3" })).details.hint).toMatch(/say "hi, 1/);
  const ragged = await put("ragged.csv", "\ufeffid,text\n1,one\n2\n3,three,extra\n");
  expect(await counted(ragged)).toMatchObject({
    kept: ["one"],
    errors: [expect.stringMatching(/csv:3.*1 columns/), expect.stringMatching(/csv:4.*3 columns/)],
  });
  expect((await failure([ragged])).details.line).toBe(3);
  const torn = await put("torn.csv", 'text\nfine\n"never closed\n');
  expect((await failure([torn])).message).toMatch(
    /torn\.csv:3: a quote opens a cell here and is never closed/,
  );
  const latin = await put("latin.csv", Buffer.concat([Buffer.from("text\nok\n"), Buffer.of(0xe9, 0x0a)]));
  expect((await failure([latin])).details).toMatchObject({ line: 3, offset: 8 });
  expect((await counted(latin)).kept).toEqual(["ok"]);
  expect(await texts([await put("crlf.csv", 'text,n\r\n"a\r\nb",1\r\n')])).toEqual(["a\r\nb"]);
});

test("leaving early closes the file", async () => {
  const big = await put("big.csv", `text\n${"some row of text\n".repeat(100_000)}`);
  const before = await openFiles();
  for (let i = 0; i < 20; i++) {
    for await (const doc of readDocuments([big])) {
      expect(doc.text).toBe("some row of text");
      break;
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await openFiles()).toBeLessThan(before + 10);
});

test("a file named twice is read once, and links to folders do not go round in circles", async () => {
  const path = await put("twice/a.txt", "once");
  await symlink(join(dir, "twice"), join(dir, "twice", "loop"));
  expect(await texts([path, join(dir, "twice"), join(dir, "twice/*.txt")])).toEqual(["once"]);
});

test.skipIf(process.getuid?.() === 0)(
  "what may not be read says so (skipped for the superuser)",
  async () => {
    const path = await put("secret/a.txt", "x");
    await chmod(join(dir, "secret"), 0);
    expect((await failure([path])).message).toMatch(/EACCES/);
    await chmod(join(dir, "secret"), 0o700);
  },
);

test("devices are refused", async () => {
  expect((await failure(["/dev/null"])).message).toMatch(/neither a file nor a folder/);
});
