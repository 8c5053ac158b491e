import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PADDING } from "../../src/data/batch/packing.ts";
import { readIndex, shardSource } from "../../src/node/prepare/shards.ts";
import type { Format } from "../format.ts";
import { jsonBytes, mutateJson } from "../mutate/json.ts";
import { folder } from "./folder.ts";

const dir = await folder();

const shard = { file: "train-00000.bin", starts: "train-00000.starts.bin", tokens: 6, pieces: 3 };
writeFileSync(join(dir, shard.file), Uint16Array.of(1, 2, 0, 3, 0, 0));
writeFileSync(join(dir, shard.starts), Uint32Array.of(0, 3, 5 + PADDING));

const packed = {
  ...{
    format: "anneal-tokens",
    version: 1,
    dtype: "uint16",
    vocabSize: 9,
    eos: 0,
    packing: "bestFit",
    window: 3,
  },
  ...{ shardTokens: 6, documentMask: true },
  splits: { train: { tokens: 6, documents: 2, bytes: 6, shards: [shard] } },
};
const { window: _, ...concatenated } = { ...packed, packing: "concat", shardTokens: 2 ** 24 };

export const shards: Format = {
  seeds: [packed, concatenated].map(jsonBytes),
  mutate: mutateJson,
  read: (bytes) => {
    writeFileSync(join(dir, "index.json"), bytes);
    const index = readIndex(dir);
    const source = shardSource(dir, index, "train");
    try {
      source.subarray(0, source.length);
      source.pieces(0, source.length);
    } finally {
      source.close();
    }
  },
};
