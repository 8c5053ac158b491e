import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { follow } from "../../src/recipes/train/pretrain.ts";
import type { Format } from "../format.ts";
import { orBytes } from "../mutate/bytes.ts";
import { changedJson } from "../mutate/json.ts";
import { folder } from "./folder.ts";

const path = join(await folder(), "metrics.jsonl");

const rows = [
  { run: "full", step: 0, valLoss: 4.2, elapsedSec: 0.1 },
  { run: "full", step: 10, loss: 3.5, lr: 0.001, gradNorm: 1.2, tokens: 640, elapsedSec: 1 },
  { run: "full", step: 10, event: "resumed", elapsedSec: 0.1 },
  { run: "distilled", step: 20, loss: 3.1, tokens: 1280, elapsedSec: 2 },
];

/** A row changed, or a row's bytes. */
const mutate = orBytes((bytes, random) => {
  const lines = Buffer.from(bytes).toString("utf8").split("\n");
  const at = random.int(lines.length);
  lines.splice(at, random.int(3) === 0 ? 0 : 1, changedJson(lines[at]!, random) ?? "{");
  return new TextEncoder().encode(lines.join("\n"));
}, 3);

export const metrics: Format = {
  seeds: [new TextEncoder().encode(rows.map((row) => `${JSON.stringify(row)}\n`).join(""))],
  mutate,
  read: (bytes) => {
    writeFileSync(path, bytes);
    const { onRow, curve } = follow("full", { update() {}, done() {} }, path);
    onRow({ step: 100, event: "resumed" });
    onRow({ step: 101, loss: 1, tokens: 6400 });
    return curve();
  },
};
