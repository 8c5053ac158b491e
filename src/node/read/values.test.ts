import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Document } from "../../data/records/document.ts";
import { parseJson } from "../../data/records/json.ts";
import { DataError } from "../../util/errors.ts";
import { optionalPath } from "../files/optional.ts";
import { htmlToText } from "./html.ts";
import { type ReadOptions, readDocuments } from "./read.ts";

let dir = "";
let files = 0;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-values-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const read = async (path: string, options: ReadOptions = {}): Promise<Document[]> => {
  const list: Document[] = [];
  for await (const doc of readDocuments([path], options)) list.push(doc);
  return list;
};
const put = async (data: string | Uint8Array, ending: string): Promise<string> => {
  const path = join(dir, `v${files++}.${ending}`);
  await writeFile(path, data);
  return path;
};
const failure = async (path: string, options: ReadOptions = {}): Promise<DataError> => {
  const error: unknown = await read(path, options).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(DataError);
  return error as DataError;
};

describe("numbers of JSON keep their digits", () => {
  test.each([
    ["1234567890123456789", "1234567890123456789"],
    ["-9007199254740993", "-9007199254740993"],
    ["1000000000000000000000", "1000000000000000000000"],
    ["9007199254740991", "9007199254740991"],
    ["3.14159265358979323846", "3.14159265358979323846"],
    ["0.1", "0.1"],
    ["1e400", "1e400"],
    ["12.50", "12.5"],
  ])("%s", async (literal, text) => {
    const line = `{"text":${literal},"u":${literal}}`;
    for (const [data, ending] of [
      [line, "jsonl"],
      [`[${line}]`, "json"],
    ] as const) {
      expect(await read(await put(data, ending), { groupField: "u" })).toMatchObject([{ text, group: text }]);
    }
  });

  test("and strings that look like them stay as they are", () => {
    const text =
      '{"#a":"#123","b":[12345678901234567890,"\\"12345678901234567890"],"##":"#12345678901234567"}';
    expect(parseJson(text, {})).toEqual({
      "#a": "#123",
      b: [12345678901234567890n, '"12345678901234567890'],
      "##": "#12345678901234567",
    });
    expect(() => parseJson("{12345678901234567890:1}", {})).toThrow(DataError);
    expect(() => parseJson("[01234567890123456789]", {})).toThrow(DataError);
  });

  test("NaN and infinities, which Python writes, are what is missing; in texts they stay", () => {
    const text = '{"a": NaN, "b": [-Infinity,Infinity], "c": "NaN \\" Infinity", "n": 12345678901234567890}';
    expect(parseJson(text, {})).toEqual({
      ...{ a: null, b: [null, null], c: 'NaN " Infinity', n: 12345678901234567890n },
    });
    for (const torn of ['{"a": NaN', "{NaN: 1}", "NaNa", "-NaN", '{"a": Infinity1}']) {
      expect(() => parseJson(torn, {}), torn).toThrow(DataError);
    }
  });
});

describe("labels", () => {
  test("keep their names, whatever those mean elsewhere", async () => {
    const names = ["NA", "None", "null", "-", "nan", "DE"];
    const rows = names.map((name) => `${name},A text of ${name}`).join("\n");
    const list = await read(await put(`country,text\n${rows}\n,none at all\n`, "csv"), {
      sourceField: "country",
    });
    expect(list.map(({ source }) => source)).toEqual([...names, undefined]);
    const json = await put('{"text":"a","g":null}\n{"text":"b","g":"NA"}\n{"text":"c","g":0}', "jsonl");
    expect((await read(json, { groupField: "g" })).map(({ group }) => group)).toEqual([undefined, "NA", "0"]);
  });

  test("that are no labels are refused", async () => {
    const path = await put('{"text":"a","g":["x"]}', "jsonl");
    expect((await failure(path, { groupField: "g" })).message).toMatch(/"g" holds a list, no label/);
  });
});

test("records that are none say what they are, and what to do", async () => {
  const array = await failure(await put('[{"text":"a"}]\n', "jsonl"));
  expect(array.message).toMatch(/jsonl:1: the record is a list/);
  expect(array.details.hint).toMatch(/array of records is named \.json/);
  expect((await failure(await put('["a","b"]', "json"))).message).toMatch(/the record is a string/);
  const list = await failure(await put('{"text":["a"]}', "jsonl"));
  expect(list.message).toMatch(/"text" holds a list, no text/);
  expect(list.details.hint).toMatch(/--field/);
});

test("lines of noise cost themselves alone", async () => {
  const lines = ['{"text":nul\u00ff}', '{"text":5}', '{"text":   ]}', '{"text":"\\ud800"}', "nul", "\u0000"];
  const errors: string[] = [];
  const path = await put(Buffer.from(lines.join("\n"), "latin1"), "jsonl");
  const list: string[] = [];
  const options: ReadOptions = { skipBadRows: true, onSkip: (error) => errors.push(error.message) };
  for (const { text } of await read(path, options)) list.push(text);
  expect(list).toEqual(["5", "\ud800"]);
  expect(errors.map((message) => /jsonl:(\d)/.exec(message)?.[1])).toEqual(["1", "3", "5", "6"]);
});

describe("gzip", () => {
  const [one, two] = ['{"text":"one"}\n', '{"text":"two"}\n'].map((line) => gzipSync(line)) as [
    Buffer,
    Buffer,
  ];
  test("of several members is read whole", async () => {
    const list = await read(await put(Buffer.concat([one, two]), "jsonl.gz"));
    expect(list.map(({ text }) => text)).toEqual(["one", "two"]);
    expect(await read(await put(gzipSync(""), "jsonl.gz"))).toEqual([]);
  });

  test.each([
    ["empty", Buffer.alloc(0), /is empty, not gzip/],
    ["torn", one.subarray(0, 20), /cut off.*torn/],
    ["torn in its second member", Buffer.concat([one, two.subarray(0, 12)]), /cut off.*torn/],
    ["followed by other bytes", Buffer.concat([one, Buffer.from("and more")]), /other bytes behind its end/],
    ["no gzip", Buffer.from("plain text"), /is not gzip/],
  ])("that is %s says so", async (_, bytes, says) => {
    const error = await failure(await put(bytes, "jsonl.gz"));
    expect(error.message).toMatch(says);
    expect(error.details.hint).toMatch(/get it again/);
  });

  test("Zstandard of no bytes says so too", async () => {
    expect((await failure(await put("", "jsonl.zst"))).message).toMatch(/is empty, not Zstandard/);
  });
});

describe("drawings in HTML", () => {
  test.each([
    ["is ended by a paragraph", "<div><svg><path d='M0 0'/></div><p>rest</p>", "rest"],
    ["is ended by a heading in it", "<svg><g><h1>Head</h1>text", "Head\n\ntext"],
    ["is ended by the end of a paragraph", "<p>a<svg><g></p>b", "a\n\nb"],
    ["closes itself", "<p>a <svg/> b</p>", "a b"],
    ["holds a title of its own", "<svg><title>x</svg><p>rest", "rest"],
    ["holds HTML", "<svg><foreignObject><p>in</p></foreignObject></svg>out", "out"],
    ["is whole", "<p>a</p><svg><g><text>in</text></g></svg><p>b</p>", "a\n\nb"],
  ])("a drawing that %s", (_, page, text) => expect(htmlToText(page)).toBe(text));
});

const hasDuckdb = ((): boolean => {
  try {
    return optionalPath("@duckdb/node-api") !== "";
  } catch {
    return false;
  }
})();

describe.skipIf(!hasDuckdb)("Parquet", () => {
  const write = async (select: string, more = ""): Promise<string> => {
    const path = join(dir, `p${files++}.parquet`);
    const { DuckDBInstance } = await import("@duckdb/node-api");
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    await connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet${more})`);
    connection.closeSync();
    instance.closeSync();
    return path;
  };

  test.each([
    ["9223372036854775807::BIGINT", "9223372036854775807", "number"],
    ["18446744073709551615::UBIGINT", "18446744073709551615", "number"],
    ["12345678901234567890.123456789::DECIMAL(38,9)", "12345678901234567890.123456789", "number"],
    ["0.1::FLOAT", "0.1", "number"],
    ["1234.5::DOUBLE", "1234.5", "number"],
    ["TIME '03:04:05'", "03:04:05", "date"],
    ["TIMESTAMP '2020-01-02 03:04:05.678901'", "2020-01-02 03:04:05.678901", "date"],
    ["TIMESTAMP_NS '2020-01-02 03:04:05.123456789'", "2020-01-02 03:04:05.123456789", "date"],
    ["TIMESTAMPTZ '2020-01-02 03:04:05.678901+02'", "2020-01-02 01:04:05.678901+00", "date"],
    ["DATE '2020-01-02'", "2020-01-02", "date"],
    ["INTERVAL '1 month 2 days'", "1 month 2 days", "date"],
    ["'a1b2c3d4-0000-4000-8000-000000000000'::UUID", "a1b2c3d4-0000-4000-8000-000000000000", "uuid"],
    ["true", "true", "boolean"],
  ])("%s is the text that DuckDB tells", async (value, text, kind) => {
    const [doc] = await read(await write(`SELECT ${value} AS t, ${value} AS g`), {
      field: "t",
      groupField: "g",
    });
    expect(doc).toMatchObject({ text, group: text, notes: [`${kind} converted to text`] });
  });

  test("what has lost digits, or is no text, is refused by its type", async () => {
    const huge = await write("SELECT 170141183460469231731687303715884105727::HUGEINT AS t");
    expect((await failure(huge, { field: "t" })).message).toMatch(/"t" holds 1\.7.*DOUBLE/);
    for (const value of ["[1, 2]", "{'x': 1}", "MAP {'q': 1}"]) {
      const path = await write(`SELECT ${value} AS t`);
      expect((await failure(path, { field: "t" })).message).toMatch(/"t" holds (a list|an object), no text/);
    }
  });

  test("texts that are too long to be held together are read a few at a time", async () => {
    const path = await write(
      "SELECT i || ' ' || repeat('long text ', 4000) AS text FROM range(2100) t(i)",
      ", COMPRESSION zstd",
    );
    let count = 0;
    for await (const { text } of readDocuments([path], { memoryMb: 64 })) {
      expect(text.startsWith(`${count++} long`)).toBe(true);
    }
    expect(count).toBe(2100);
  });
});
