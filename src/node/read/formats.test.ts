import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Document } from "../../data/records/document.ts";
import { DataError, MissingError } from "../../util/errors.ts";
import { htmlToText } from "./html.ts";
import { duckdbLines } from "./parquet/duckdb.ts";
import { listInputs, type ReadOptions, readDocuments, readFileDocuments } from "./read.ts";

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-formats-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const put = async (name: string, data: string | Uint8Array): Promise<string> => {
  await mkdir(join(dir, name, ".."), { recursive: true });
  await writeFile(join(dir, name), data);
  return join(dir, name);
};
const read = async (path: string, options: ReadOptions = {}): Promise<Document[]> => {
  const list: Document[] = [];
  for await (const doc of readDocuments([path], options)) list.push(doc);
  return list;
};
const texts = async (path: string, options: ReadOptions = {}): Promise<string[]> =>
  (await read(path, options)).map(({ text }) => text);
const failure = async (path: string, options: ReadOptions = {}): Promise<DataError> =>
  read(path, options).then(
    () => expect.unreachable("it should have failed"),
    (error) => error as DataError,
  ) as Promise<DataError>;
const counted = async (path: string, options: ReadOptions = {}) => {
  const errors: string[] = [];
  const kept = await texts(path, { ...options, skipBadRows: true, onSkip: (e) => errors.push(e.message) });
  return { kept, errors };
};

/** DuckDB, writing what the reader is to read. */
const sql = async (statement: string): Promise<void> => {
  const entry = createRequire(import.meta.url).resolve("@duckdb/node-api");
  const { DuckDBInstance } = await import(pathToFileURL(entry).href);
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run(statement);
  connection.closeSync();
  instance.closeSync();
};
const hasDuckdb = ((): boolean => {
  try {
    return createRequire(import.meta.url).resolve("@duckdb/node-api") !== "";
  } catch {
    return false;
  }
})();

describe("JSON files", () => {
  test("an array, one record and records side by side, with brackets in strings", async () => {
    const rows = ['one ]}[{ \\" two', "three\n\u00e9", "four"].map((text) => ({
      text,
      deep: [[{ a: "]" }]],
    }));
    const array = JSON.stringify(rows, null, 2);
    const wanted = rows.map(({ text }) => text);
    expect(await texts(await put("array.json", array))).toEqual(wanted);
    expect(await texts(await put("array.json.gz", gzipSync(array)))).toEqual(wanted);
    expect(await texts(await put("dense.json", JSON.stringify(rows)))).toEqual(wanted);
    expect(await texts(await put("one.json", JSON.stringify(rows[0])))).toEqual([wanted[0]]);
    expect(await texts(await put("side.json", rows.map((r) => JSON.stringify(r)).join("\n")))).toEqual(
      wanted,
    );
    expect(await texts(await put("none.json", " [ ] "))).toEqual([]);
  });

  test("records are found across pieces of the file, and named apart", async () => {
    const rows = Array.from({ length: 4000 }, (_, i) => ({ text: `row ${i} \u20ac ${"x".repeat(i % 97)}` }));
    const path = await put("long.json", JSON.stringify(rows));
    const list = await read(path);
    expect(list.map(({ text }) => text)).toEqual(rows.map(({ text }) => text));
    expect(new Set(list.map(({ id }) => id)).size).toBe(4000);
  });

  test("what is torn, no object, too long or too deep is refused or counted", async () => {
    const torn = await put("torn.json", '[\n{"text":"a"},\n{"text":"b"}');
    expect((await failure(torn)).message).toMatch(/torn\.json:3.*not closed/);
    expect((await counted(torn)).kept).toEqual(["a", "b"]);
    const mixed = await put("mixed.json", '[{"text":"a"}, 12, "b", {"text":"c"}, null]');
    const { kept, errors } = await counted(mixed);
    expect(kept).toEqual(["a", "c"]);
    expect(errors).toHaveLength(3);
    const long = await put("wide.json", `[{"text":"${"x".repeat(300_000)}"}]`);
    expect((await failure(long, { maxRecordBytes: 1000 })).message).toMatch(/longer than 1000 bytes/);
    const deep = `{"text":"a","x":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
    const bombs = await put("deep.jsonl", `{"text":"fine"}\n${deep}\n`);
    expect((await failure(bombs)).message).toMatch(/deep\.jsonl:2.*nested deeper than 64/);
    expect((await counted(bombs)).kept).toEqual(["fine"]);
    expect((await failure(await put("deep.json", `[${deep}]`))).message).toMatch(/nested deeper/);
  });
});

describe("rows", () => {
  test("conversations and pairs become text, and keep their turns", async () => {
    const messages = [
      { role: "user", content: "hi" },
      { role: "assistant", content: [{ type: "text", text: "hel" }, { text: "lo" }] },
    ];
    const share = [
      { from: "human", value: "hi" },
      { from: "gpt", value: "hello" },
    ];
    const rows = [{ messages }, { conversations: share }, { prompt: "2+2=", completion: "4" }];
    const list = await read(await put("chat.jsonl", rows.map((row) => JSON.stringify(row)).join("\n")));
    const turns = [
      { role: "user", content: "hi" },
      { role: "assistant", content: "hello" },
    ];
    expect(list.map(({ text }) => text)).toEqual([
      "user: hi\nassistant: hello",
      "user: hi\nassistant: hello",
      "2+2=\n4",
    ]);
    expect(list.slice(0, 2).map((doc) => doc.turns)).toEqual([turns, turns]);
    expect(list[2]!.turns).toEqual([
      { role: "prompt", content: "2+2=" },
      { role: "completion", content: "4" },
    ]);
    const table = `prompt,completion,n\n"a, b",c,1\n`;
    expect(await texts(await put("pairs.csv", table))).toEqual(["a, b\nc"]);
  });

  test("a named field wins; fields that are not read are told once", async () => {
    const path = await put("named.jsonl", '{"text":"t","body":"b","x":1}\n{"text":"t2","body":"b2","x":1}\n');
    const warnings: string[] = [];
    expect(await texts(path, { field: "body", onWarning: (w) => warnings.push(w) })).toEqual(["b", "b2"]);
    expect(warnings).toEqual(["these fields are not read: text, x"]);
    const table: string[] = [];
    await texts(await put("named.csv", "text,x,y\na,1,2\nb,3,4\n"), { onWarning: (w) => table.push(w) });
    expect(table).toEqual(["these fields are not read: x, y"]);
  });

  test("policies, types, source and group", async () => {
    const rows = [
      { text: "one", lang: "en", from: "wiki", who: 7 },
      { text: null, title: "a title", lang: "en" },
      { text: "N/A", title: "-", lang: "" },
      { text: 12.5, lang: null },
      { body: "no text here", lang: "fr" },
    ];
    const options: ReadOptions = {
      fields: { lang: { drop: true }, text: { from: "title" } },
      sourceField: "from",
      groupField: "who",
    };
    const path = await put(
      "policies.jsonl",
      rows
        .slice(0, 4)
        .map((row) => JSON.stringify(row))
        .join("\n"),
    );
    const list = await read(path, options);
    expect(list[0]).toMatchObject({ text: "one", source: "wiki", group: "7" });
    expect(list[1]).toMatchObject({ text: "a title", notes: ['field "text" filled from "title"'] });
    expect(list.slice(2).map(({ dropped }) => dropped)).toEqual(Array(2).fill('field "lang" is missing'));
    const last = await put("default.jsonl", JSON.stringify(rows[4]));
    expect(await texts(last, { fields: { text: { default: "(none)" } } })).toEqual(["(none)"]);
    const table = await put("ragged.csv", "id,lang,text\n1,en,a\n2,en\n3,,c\n");
    const filled = { fields: { text: { default: "?" }, lang: { default: "xx" } }, sourceField: "lang" };
    expect((await read(table, filled)).map(({ text, source }) => [text, source])).toEqual([
      ["a", "en"],
      ["?", "en"],
      ["c", "xx"],
    ]);
    const [number] = await read(await put("number.jsonl", '{"text":12.5}'));
    expect(number).toMatchObject({ text: "12.5", notes: ["number converted to text"] });
  });
});

describe("encodings", () => {
  const text = "na\u00efve caf\u00e9 \u2014 \u20ac\n";
  test("UTF-16 is known by its mark, of either order, in every kind", async () => {
    const little = Buffer.from(`\ufeff${text}`, "utf16le");
    expect(await texts(await put("le.txt", little))).toEqual([text]);
    expect(await texts(await put("be.txt", Buffer.from(little).swap16()))).toEqual([text]);
    const table = Buffer.from(`\ufefftext\r\n${text.trim()}\r\n`, "utf16le");
    expect(await texts(await put("le.csv", table))).toEqual([text.trim()]);
    expect((await failure(await put("odd.txt", little.subarray(0, 13)))).message).toMatch(/is not UTF-16/);
  });

  test("Windows-1252 is refused, or read and noted when told to find out", async () => {
    const rows = Buffer.concat([
      Buffer.from('{"text":"caf'),
      Buffer.of(0xe9, 0x20, 0x93),
      Buffer.from('"}\n'),
    ]);
    const path = await put("cp1252.jsonl", Buffer.concat([Buffer.from('{"text":"caf\u00e9"}\n'), rows]));
    expect((await failure(path)).details).toMatchObject({ line: 2, offset: 29 });
    const list = await read(path, { encoding: "auto" });
    expect(list.map((doc) => doc.text)).toEqual(["caf\u00e9", "caf\u00e9 \u201c"]);
    expect(list.map(({ notes }) => notes)).toEqual([undefined, ["read as Windows-1252"]]);
  });

  test("binary files are refused whatever the encoding", async () => {
    const noise = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919) % 256));
    for (const encoding of ["utf-8", "auto"] as const) {
      expect((await failure(await put("noise.txt", noise), { encoding })).message).toMatch(
        encoding === "auto" ? /binary/ : /not UTF-8/,
      );
      expect((await failure(await put("page.txt", "%PDF-1.7 ..."), { encoding })).message).toMatch(/PDF/);
    }
    const nameless = await put("nameless.txt", gzipSync("text"));
    expect((await failure(nameless)).message).toMatch(/gzip without the name/);
    const rows = Buffer.concat([
      Buffer.from('{"text":"a"}\n'),
      Buffer.alloc(50),
      Buffer.from('\n{"text":"b"}\n'),
    ]);
    expect(await counted(await put("zeros.jsonl", rows))).toMatchObject({
      kept: ["a", "b"],
      errors: [/zero/],
    });
  });
});

describe("sizes", () => {
  test("a line that is too long costs that line alone, where bad rows may be left out", async () => {
    const long = `{"text":"${"x".repeat(3_000_000)}"}`;
    const path = await put("long.jsonl", `{"text":"a"}\n${long}\n{"text":"b"}\n${long}`);
    const { kept, errors } = await counted(path, { maxRecordBytes: 1 << 20 });
    expect(kept).toEqual(["a", "b"]);
    expect(errors.map((e) => /jsonl:(\d)/.exec(e)?.[1])).toEqual(["2", "4"]);
  });

  test("what unpacks to too much is refused, and its memory stays bounded", async () => {
    const bomb = gzipSync(Buffer.alloc(96 << 20, "a line of some text\n"));
    const path = await put("bomb.txt.gz", bomb);
    const before = process.memoryUsage().rss;
    expect((await failure(path)).message).toMatch(/bomb\.txt\.gz: unpacks to more than 200 times/);
    expect(process.memoryUsage().rss - before).toBeLessThan(300 << 20);
    const small = await put("small.jsonl.gz", gzipSync('{"text":"abc"}\n'.repeat(1000)));
    expect((await failure(small, { maxUnpackedBytes: 1000 })).message).toMatch(/more than 1000 bytes/);
    expect(await texts(small)).toHaveLength(1000);
  });
});

describe("HTML", () => {
  test("blocks end lines, scripts and navigation go, preformatted text stays", async () => {
    const page = `<!doctype html><html><head><title>T</title><style>p{}</style><script>if (a<b) "</p>"</script></head>
      <body><nav><ul><li>Home<nav>x</nav></li></ul></nav><h1>A  title &amp; more</h1><p>One <b>bold</b>
      word.<br>Next&nbsp;line<p>Two<table><tr><td>a<td>b</tr><tr><td>c</table><pre>  x\n   y</pre>end`;
    expect(await texts(await put("page.html", page))).toEqual([
      "A title & more\n\nOne bold word.\nNext\u00a0line\n\nTwo\n\na b\nc\n\n  x\n   y\n\nend",
    ]);
    expect(await texts(await put("page.htm.gz", gzipSync("<p>zipped")))).toEqual(["zipped"]);
    expect((await failure(await put("big.html", page), { maxRecordBytes: 100 })).message).toMatch(
      /longer than/,
    );
  });

  test("navigation that is left open ends with what is around it", () => {
    const page = "<div><nav><ul><li>a<img><li>b</ul></div><p>text</p><nav><div>c</div></nav>end";
    expect(htmlToText(page)).toBe("text\n\nend");
    expect(htmlToText("<div><nav><b>a</b></div><p>text</p><nav><div>c</div></nav>end")).toBe("text\n\nend");
  });

  test("deep and torn pages cost neither the stack nor the time", () => {
    expect(htmlToText(`${"<div>".repeat(200_000)}x${"</div>".repeat(200_000)}`)).toBe("x");
    expect(htmlToText(`a${"<".repeat(100_000)}`)).toMatch(/^a</);
    expect(htmlToText('<p>a</p><a href="never closed')).toBe("a");
    expect(htmlToText(`<p>${"word ".repeat(100_000)}</p>`)).toHaveLength(499_999);
  });
});

describe.skipIf(!hasDuckdb)("DuckDB", () => {
  test("Parquet: text, chats, bytes and numbers, with the row named", async () => {
    const path = join(dir, "rows.parquet");
    await sql(`COPY (SELECT 'row ' || i AS text, i AS n, 'src' AS origin FROM range(5000) t(i))
      TO '${path}' (FORMAT parquet)`);
    const list = await read(path, { sourceField: "origin" });
    expect(list).toHaveLength(5000);
    expect(list[4999]).toEqual({ id: `${path}:5000`, text: "row 4999", source: "src" });
    expect((await read(path, { field: "n" }))[7]).toMatchObject({
      text: "7",
      notes: ["number converted to text"],
    });
    expect((await failure(path, { field: "no" })).details.hint).toMatch(/text, n, origin/);
    const chat = join(dir, "chat.parquet");
    await sql(`COPY (SELECT [{'role': 'user', 'content': 'hi'}, {'role': 'assistant', 'content': 'yo'}] AS messages)
      TO '${chat}' (FORMAT parquet)`);
    expect(await read(chat)).toMatchObject([
      { text: "user: hi\nassistant: yo", turns: [{ role: "user" }, {}] },
    ]);
    const blob = join(dir, "blob.parquet");
    await sql(
      `COPY (SELECT '\\xC3\\xA9'::BLOB AS text UNION ALL SELECT '\\xE9'::BLOB) TO '${blob}' (FORMAT parquet)`,
    );
    expect(await counted(blob)).toMatchObject({
      kept: ["\u00e9"],
      errors: [expect.stringMatching(/:2.*UTF-8/)],
    });
    const quote = join(dir, "it's.parquet");
    await sql(`COPY (SELECT 'q' AS "te""xt") TO '${quote.replaceAll("'", "''")}' (FORMAT parquet)`);
    expect(await texts(quote, { field: 'te"xt' })).toEqual(["q"]);
  });

  test("torn Parquet is refused", async () => {
    const path = join(dir, "whole.parquet");
    await sql(`COPY (SELECT 'row ' || i AS text FROM range(2000) t(i)) TO '${path}' (FORMAT parquet)`);
    const bytes = await readFile(path);
    const cut = await put("cut.parquet", bytes.subarray(0, 400));
    expect((await failure(cut)).message).toMatch(/cut\.parquet: is not Parquet, or torn/);
    const middle = Buffer.from(bytes);
    middle.fill(0xaa, 10, bytes.length - 400);
    const hollow = await failure(await put("hollow.parquet", middle));
    expect(hollow).toBeInstanceOf(DataError);
    expect(hollow.message).toMatch(/hollow\.parquet/);
    middle.fill(0xaa, bytes.length - 300, bytes.length - 8);
    expect(await failure(await put("foot.parquet", middle))).toBeInstanceOf(DataError);
  });

  test("Zstandard, by Node or DuckDB, in every kind of text", async () => {
    const from = join(dir, "zst.jsonl.zst");
    await sql(`COPY (SELECT 'line \u00e9 ' || i AS text FROM range(3000) t(i)) TO '${from}'
      (FORMAT json, COMPRESSION zstd)`);
    expect((await texts(from)).slice(-1)).toEqual(["line \u00e9 2999"]);
    const table = join(dir, "zst.csv.zst");
    await sql(`COPY (SELECT 'a, "b"' AS text, 1 AS n) TO '${table}' (FORMAT csv, COMPRESSION zstd)`);
    expect(await texts(table)).toEqual(['a, "b"']);
    const plain = join(dir, "zst.txt.zst");
    await sql(`COPY (SELECT x FROM (VALUES ('one'), (''), ('"two", 3\t|')) t(x)) TO '${plain}'
      (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '^', COMPRESSION zstd)`);
    expect(await texts(plain)).toEqual(['one\n\n"two", 3\t|\n']);
    const torn = await put("torn.jsonl.zst", (await readFile(from)).subarray(0, 300));
    expect(await failure(torn)).toBeInstanceOf(DataError);
    const lines: string[] = [];
    for await (const line of duckdbLines(plain, 1000)) lines.push(line.toString());
    expect(lines).toEqual(["one\n", "\n", '"two", 3\t|\n']);
  });

  test("without the extension for remote files, the error says what to do", async () => {
    for (const address of [
      "s3://bucket/a.parquet",
      "hf://datasets/a/b/c.jsonl",
      "https://127.0.0.1:9/a.txt",
    ]) {
      const error = await failure(address);
      expect([DataError, MissingError]).toContain(error.constructor);
      if (error instanceof MissingError) expect(error.details.hint).toMatch(/INSTALL httpfs/);
      expect(error.details.file).toBe(address);
    }
  });
});

describe("inputs", () => {
  test("are listed in the order of their names, with size and hash", async () => {
    await put("in/b/z.jsonl", "{}");
    await put("in/a.txt", "abc");
    await put("in/dataset_info.json", "{}");
    await put("in/c.json", "[]");
    await put("in/c.bin", "no");
    const list = await listInputs([join(dir, "in/c.json"), join(dir, "in")], { hash: true });
    expect(list.map(({ name }) => name)).toEqual(["a.txt", "b/z.jsonl", "c.json"]);
    const sha256 = createHash("sha256").update("abc").digest("hex");
    expect(list[0]).toEqual({ path: join(dir, "in/a.txt"), name: "a.txt", sizeBytes: 3, sha256 });
    const globbed = await listInputs([join(dir, "in/**/*.{txt,jsonl}")]);
    expect(globbed.map(({ name }) => name)).toEqual(["a.txt", "b/z.jsonl"]);
    const files: string[] = [];
    for (const file of globbed.slice(0, 1)) {
      for await (const { text } of readFileDocuments(file)) files.push(text);
    }
    expect(files).toEqual(["abc"]);
  });

  test("of one name in two folders are told apart", async () => {
    await put("p/a.txt", "1");
    await put("q/a.txt", "2");
    const list = await listInputs([join(dir, "p"), join(dir, "q")]);
    expect(list.map(({ name }) => name)).toEqual(["a.txt", "a.txt~2"]);
  });
});
