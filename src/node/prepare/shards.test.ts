import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PADDING } from "../../data/batch/packing.ts";
import { DataError } from "../../util/errors.ts";
import { readIndex, shardSource } from "./shards.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "anneal-shards-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const shard = { file: "train-00000.bin", starts: "train-00000.starts.bin", tokens: 6, pieces: 3 };
const index = {
  format: "anneal-tokens",
  version: 1,
  dtype: "uint16",
  vocabSize: 9,
  eos: 0,
  packing: "bestFit",
  window: 3,
  shardTokens: 6,
  documentMask: true,
  splits: { train: { tokens: 6, documents: 2, bytes: 6, shards: [shard] } },
} as const;

const put = (name: string, content: string | Uint16Array | Uint32Array): void =>
  writeFileSync(join(dir, name), content);
const write = (ids = [1, 2, 0, 3, 0, 0], starts = [0, 3, 5 + PADDING]): void => {
  put("index.json", JSON.stringify(index));
  put(shard.file, Uint16Array.from(ids));
  put(shard.starts, Uint32Array.from(starts));
};
const open = () => shardSource(dir, readIndex(dir), "train");

test("shards give ids, and where documents start", () => {
  write();
  const source = open();
  expect(Array.from(source.subarray(1, 5))).toEqual([2, 0, 3, 0]);
  expect(source.pieces(3, 6)).toEqual({ starts: [0], used: 2 });
  source.close();
});

describe("are refused", () => {
  test.each([
    ["an index that is not there", () => rmSync(join(dir, "index.json")), /there is no index/],
    ["an index that is torn", () => put("index.json", '{"format'), /index\.json: is not JSON/],
    [
      "ids that are not there",
      () => rmSync(join(dir, shard.file)),
      /train-00000\.bin: is named in the index/,
    ],
    ["fewer ids", () => put(shard.file, Uint16Array.of(1)), /has 2 bytes, and its index says 12/],
    ["more ids", () => put(shard.file, new Uint16Array(7)), /has 14 bytes/],
    [
      "starts that are not there",
      () => rmSync(join(dir, shard.starts)),
      /starts\.bin: is named in the index/,
    ],
    ["fewer starts", () => put(shard.starts, Uint32Array.of(0)), /has 4 bytes, and its index says 12/],
    [
      "a folder in place of a file",
      () => {
        rmSync(join(dir, shard.file));
        mkdirSync(join(dir, shard.file));
      },
      /is no file/,
    ],
  ])("with %s", (_, damage, message) => {
    write();
    damage();
    expect(open).toThrow(DataError);
    expect(open).toThrow(message);
  });

  test.each([
    ["beyond the shard", [0, 3, 6]],
    ["not in order", [3, 0, 5]],
    ["twice", [0, 0, 3]],
  ])("with starts %s", (_, starts) => {
    write(undefined, starts);
    const source = open();
    expect(() => source.pieces(0, 3)).toThrow(DataError);
    source.close();
  });

  test("with an id beyond the vocabulary", () => {
    write([1, 2, 9, 3, 0, 0]);
    const source = open();
    expect(() => source.subarray(0, 6)).toThrow(/the id 9 of a vocabulary of 9/);
    source.close();
  });
});
