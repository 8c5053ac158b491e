import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { counted, failure, put, read, texts } from "./formats.fixture.ts";

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
