import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkpointStore } from "../../src/node/files/checkpoints.ts";
import type { Format } from "../format.ts";
import { type Mutate, mutateBytes } from "../mutate/bytes.ts";
import { changedJson } from "../mutate/json.ts";
import { folder } from "./folder.ts";

const dir = await folder();
const files = {
  "weights.safetensors": [Uint8Array.of(1, 2, 3)],
  "state.json": [new TextEncoder().encode("{}")],
};
await checkpointStore(dir).save(7, files, { seed: 1, identity: { data: "x" } });
const path = join(dir, "step-7", "manifest.json");

const PREFIX = /^\{"sha256":"[0-9a-f]{64}",/;

/** The manifest with another content and, mostly, the hash of it. */
const rehashed: Mutate = (bytes, random, others) => {
  const text = Buffer.from(bytes).toString("utf8");
  const content = PREFIX.test(text) ? `{${text.replace(PREFIX, "")}` : text;
  const changed = random.int(4) === 0 ? undefined : changedJson(content, random);
  if (changed === undefined || !changed.startsWith("{")) return mutateBytes(bytes, random, others);
  const rest = changed.slice(1);
  const hash = createHash("sha256").update(rest).digest("hex");
  return new TextEncoder().encode(`{"sha256":"${hash}",${rest}`);
};

export const manifest: Format = {
  seeds: [new Uint8Array(readFileSync(path))],
  mutate: rehashed,
  read: async (bytes) => {
    writeFileSync(path, bytes);
    await checkpointStore(dir, { strict: true }).load();
  },
};
