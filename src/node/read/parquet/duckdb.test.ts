import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { DataError, MissingError } from "../../../util/errors.ts";
import { counted, dir, failure, put, read, texts } from "../formats.fixture.ts";
import { duckdbLines } from "./duckdb.ts";

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
