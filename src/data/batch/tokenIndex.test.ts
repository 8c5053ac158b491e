import { describe, expect, test } from "vitest";
import { DataError } from "../../util/errors.ts";
import { parseIndex } from "./tokenIndex.ts";

/** An index by its fields, `more` in place of some of them; a split's and its first shard's are named alike. */
type Index = Record<string, unknown>;

const shard = (split: string, i: number, tokens: number, pieces = 1) => ({
  file: `${split}-0000${i}.bin`,
  starts: `${split}-0000${i}.starts.bin`,
  tokens,
  pieces,
});
const concat: Index = {
  format: "anneal-tokens",
  version: 1,
  dtype: "uint16",
  vocabSize: 300,
  eos: 0,
  packing: "concat",
  shardTokens: 10,
  documentMask: false,
  splits: {
    train: { tokens: 23, documents: 4, bytes: 40, shards: [10, 10, 3].map((n, i) => shard("train", i, n)) },
    validation: { tokens: 7, documents: 1, bytes: 9, shards: [shard("validation", 0, 7)] },
    test: { tokens: 0, documents: 0, bytes: 0, shards: [] },
  },
};
const packed: Index = {
  ...concat,
  packing: "bestFit",
  window: 5,
  splits: {
    train: { tokens: 15, documents: 4, bytes: 40, shards: [10, 5].map((n, i) => shard("train", i, n)) },
    validation: { tokens: 7, documents: 1, bytes: 9, shards: [shard("validation", 0, 7)] },
  },
};
const changed = (index: Index, path: string, value: unknown): Index => {
  const copy = structuredClone(index);
  const keys = path.split(".");
  const last = keys.pop()!;
  const at = keys.reduce((inner, key) => inner[key] as Index, copy);
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
};

describe("the index of token shards", () => {
  test.each([
    ["a stream", concat],
    ["packed windows", packed],
    ["ids of 32 bits", { ...concat, dtype: "uint32", vocabSize: 100_000 }],
    ["more bits than ids need", { ...concat, dtype: "uint32" }],
  ])("is read: %s", (_, index) => {
    expect(parseIndex(index, "index.json")).toBe(index);
  });

  test.each([null, undefined, 3, "x", [], {}])("%j is refused", (value) => {
    expect(() => parseIndex(value, "index.json")).toThrow(DataError);
  });

  test.each([
    ["version", 2],
    ["dtype", "int8"],
    ["vocabSize", 0],
    ["vocabSize", 70_000],
    ["vocabSize", 1.5],
    ["eos", 300],
    ["eos", -1],
    ["packing", "worstFit"],
    ["window", 5],
    ["documentMask", "yes"],
    ["documentMask", undefined],
    ["shardTokens", 0],
    ["shardTokens", "10"],
    ["shardTokens", Number.NaN],
    ["splits", undefined],
    ["splits", null],
    ["splits", []],
    ["splits.other", {}],
    ["splits.train", null],
    ["splits.train.tokens", 22],
    ["splits.train.tokens", -23],
    ["splits.train.documents", 24],
    ["splits.train.bytes", undefined],
    ["splits.train.shards", {}],
    ["splits.train.shards.0", null],
    ["splits.train.shards.0.tokens", 9],
    ["splits.train.shards.2.tokens", 0],
    ["splits.train.shards.2.tokens", 11],
    ["splits.train.shards.0.pieces", -1],
    ["splits.train.shards.0.pieces", 1e12],
    ["splits.train.shards.0.pieces", 11],
    ["splits.train.shards.0.pieces", undefined],
    ["splits.train.shards.0.file", ["train-00000.bin"]],
    ["splits.train.shards.0.file", "../secret"],
    ["splits.train.shards.1.file", "train-00000.bin"],
    ["splits.train.shards.0.file", "validation-00000.bin"],
    ["splits.train.shards.0.starts", "train-00000.bin"],
    ["splits.train.shards.0.starts", null],
  ])("is refused where %s is %j, naming it", (path, value) => {
    expect(() => parseIndex(changed(concat, path, value), "index.json")).toThrow(DataError);
    const named =
      path === "splits.other" ? "splits" : path.startsWith("vocabSize") ? "(vocabSize|dtype)" : path;
    expect(() => parseIndex(changed(concat, path, value), "index.json")).toThrow(
      new RegExp(`^index.json, field "${named}": is `),
    );
  });

  test.each([
    ["window", undefined],
    ["window", 1],
    ["window", 11],
    ["window", 4],
    ["shardTokens", 11],
    ["splits.train.shards.1.tokens", 4],
  ])("of packed windows is refused where %s is %j", (path, value) => {
    expect(() => parseIndex(changed(packed, path, value), "index.json")).toThrow(DataError);
  });
});
