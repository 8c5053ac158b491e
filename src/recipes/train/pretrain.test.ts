import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { follow } from "./pretrain.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-follow-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const file = join(dir, "metrics.jsonl");
const task = { update() {}, done() {}, stop() {} } as Parameters<typeof follow>[1];

test.each([
  ["a line that is torn", '{"run":"full","step":4,"valLoss":4.08,"elap'],
  [
    "one that was joined to the next",
    '{"run":"full","step":4,"val{"run":"full","step":4,"event":"resumed"}\n',
  ],
  ["what is no row", '[]\nnull\n3\n{}\n{"step":"4","run":"full","valLoss":1}\n'],
  [
    "figures that are no numbers",
    '{"run":"full","step":1,"valLoss":"4.1"}\n{"run":"full","step":1,"loss":[]}\n',
  ],
])("a resumed run's curve has the rows before it, but not %s", (_, last) => {
  const row = (step: number, valLoss: number) => `${JSON.stringify({ run: "full", step, valLoss })}\n`;
  writeFileSync(file, `${row(2, 4.1)}${JSON.stringify({ run: "other", step: 1, valLoss: 9 })}\n${last}`);
  const { onRow, curve } = follow("full", task, file);
  onRow({ step: 3, event: "resumed" });
  onRow({ step: 4, valLoss: 4 });
  expect(curve().validation).toEqual([
    [2, 4.1],
    [4, 4],
  ]);
  const lines = readFileSync(file, "utf8").trim().split("\n");
  const added = lines.slice(-2).map((line) => JSON.parse(line));
  expect(added).toMatchObject([{ step: 3, event: "resumed" }, { valLoss: 4 }]);
  if (!last.endsWith("\n")) expect(lines).toHaveLength(4);
});
