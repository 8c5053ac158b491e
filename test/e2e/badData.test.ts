/** Data that cannot be used: refused with file and line, or counted and left out; in bounded memory either way. */
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { type Finished, sentences, start } from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-badData-"));

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const put = (name: string, data: string | Uint8Array): string => {
  writeFileSync(join(dir, name), data);
  return join(dir, name);
};

const good = sentences(60).map((text) => JSON.stringify({ text }));

/** Most memory that a process had, bytes; 0 where the system does not tell. */
const peakOf = (pid: number | undefined): number => {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
  } catch {
    return 0;
  }
};

let runs = 0;
const prepare = async (paths: readonly string[], ...more: string[]): Promise<Finished & { peak: number }> => {
  const out = join(dir, `out${runs++}`);
  const { child, finished } = start(["data", ...paths, "--out", out, "--vocab", "260", "--quiet", ...more]);
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, peakOf(child.pid));
  }, 10);
  const ended = await finished;
  clearInterval(timer);
  return { ...ended, peak };
};

describe("a file that", () => {
  const deep = `{"text":"a","x":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  const cases: readonly (readonly [what: string, name: string, data: string | Uint8Array, says: RegExp])[] = [
    ["nests too deep", "deep.jsonl", `${good[0]}\n${deep}\n`, /deep\.jsonl:2.*nested deeper than 64/],
    ["is binary", "noise.txt", Buffer.alloc(5000, "a\0b"), /noise\.txt.*binary/],
    ["is a PDF by another name", "page.md", "%PDF-1.4 stream", /page\.md.*PDF/],
    [
      "is UTF-16 of half a character",
      "odd.txt",
      Buffer.from("\ufeffabc", "utf16le").subarray(0, 7),
      /odd\.txt.*UTF-16/,
    ],
    ["lacks a column", "short.csv", "id,text\n1,one\n2\n", /short\.csv:3.*1 columns/],
    ["is a torn array", "torn.json", `[${good[0]},\n{"text":"b"`, /torn\.json:2/],
    ["is torn Parquet", "torn.parquet", "PAR1 and nothing more of it", /torn\.parquet.*(not Parquet|torn)/],
    [
      "is a torn gzip",
      "torn.jsonl.gz",
      gzipSync(good.join("\n")).subarray(0, 90),
      /torn\.jsonl\.gz.*cannot be read/,
    ],
  ];
  it.each(cases)("%s stops the run, naming the place", async (_, name, data, says) => {
    const ended = await prepare([put(name, data)]);
    expect(ended, ended.stderr).toMatchObject({ code: 3, stdout: "", stderr: expect.stringMatching(says) });
    expect(ended.stderr).not.toMatch(/\n\s+at /);
  });

  it("is bad costs itself alone where bad rows may be left out", async () => {
    const paths = [put("good.jsonl", good.join("\n")), ...cases.map(([, name, data]) => put(name, data))];
    const ended = await prepare(paths, "--skip-bad-rows");
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toMatch(/warning: \d+ records could not be read, such as/);
  });

  it("stands in every count: of the stages, the report and --json", async () => {
    const torn = Array.from({ length: 40 }, (_, i) => `{"text": broken${i}`);
    const folder = join(dir, "counted");
    mkdirSync(folder);
    writeFileSync(join(folder, "rows.jsonl"), `${[...good, ...torn].join("\n")}\n`);
    writeFileSync(join(folder, "table.csv"), 'text\nfine words of a row\n"opens\nis lost\nis lost too\n');
    writeFileSync(join(folder, "app.log"), "not read");
    const ended = await prepare([folder], "--skip-bad-rows", "--json");
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toMatch(/1 file is not read \(1 \.log\)/);
    const { skippedCount, leftOut, stages, path } = JSON.parse(ended.stdout);
    expect(skippedCount).toBe(43);
    expect(leftOut).toEqual([expect.stringMatching(/not read \(1 \.log\)/)]);
    expect(stages[0]).toMatchObject({ name: "reading", docsIn: 104, docsOut: 61, reasons: [{ count: 43 }] });
    const report = readFileSync(join(path, "report.html"), "utf8");
    expect(report).toContain("43 records could not be read");
    expect(report).toContain("not read (1 .log)");
  });
});

describe("memory is bounded", () => {
  const LIMIT = 700 * 2 ** 20;

  it("for a row of 1 GB", async () => {
    const path = put("wide.jsonl", `${good.join("\n")}\n`);
    const file = openSync(path, "r+");
    ftruncateSync(file, 2 ** 30);
    closeSync(file);
    const stopped = await prepare([path]);
    expect(stopped).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/wide\.jsonl:61.*longer than 64 MiB/),
    });
    expect(stopped.peak).toBeLessThan(LIMIT);
    const skipped = await prepare([path], "--skip-bad-rows");
    expect(skipped.code, skipped.stderr).toBe(0);
    expect(skipped.stderr).toMatch(/warning: 1 records? could not be read/);
    expect(skipped.peak).toBeLessThan(LIMIT);
  }, 120_000);

  it("for a gzip file that unpacks to a thousand times its size", async () => {
    const path = put("bomb.jsonl.gz", gzipSync(`${" ".repeat(2 ** 20)}\n`.repeat(160)));
    const ended = await prepare([path]);
    expect(ended).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/bomb\.jsonl\.gz.*unpacks to more than/),
    });
    expect(ended.peak).toBeLessThan(LIMIT);
  }, 120_000);
});
