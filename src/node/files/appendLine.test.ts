import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { RunError } from "../../util/errors.ts";
import { appendLine } from "./appendLine.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-append-"));
const path = join(dir, "below/metrics.jsonl");
beforeEach(() => rmSync(join(dir, "below"), { recursive: true, force: true }));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const text = (): string => readFileSync(path, "utf8");

test("lines follow one another, in a folder that is made for them", () => {
  appendLine(path, "1");
  appendLine(path, "2");
  expect(text()).toBe("1\n2\n");
});

test("what stands in the way is said, with a hint", () => {
  appendLine(path, "1");
  expect(() => appendLine(join(path, "x"), "3")).toThrow(RunError);
});

test.each([
  ["a part of one", '{"step":1}\n{"step":2,"val', '{"step":1}\n'],
  ["the only one", '{"step', ""],
  ["one without its end alone", '{"step":1}\n{"step":2}', '{"step":1}\n'],
  ["a long one", `{"step":1}\n${"x".repeat(200_000)}`, '{"step":1}\n'],
  ["a long only one", "x".repeat(200_000), ""],
  ["a character of several bytes", Buffer.from('{"a":"é'.repeat(3)).subarray(0, -1), ""],
  ["none", '{"step":1}\n\n', '{"step":1}\n\n'],
])("a torn last line is dropped, not joined to the next: %s", (_, before, kept) => {
  appendLine(path, "");
  writeFileSync(path, before);
  appendLine(path, "next");
  expect(text()).toBe(`${kept}next\n`);
});
