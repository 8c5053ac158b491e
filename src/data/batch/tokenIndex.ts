/** index.json of token shards, from anywhere: each field is checked, alone and beside the others. */
import { DataError } from "../../util/errors.ts";
import { type SplitName, splitNames } from "../records/splits.ts";
import { dtypeFor, type ShardIndex, shardNames } from "./tokenShards.ts";

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const HINT = "make the shards anew with: anneal data";

/** Fields of one file, all errors naming where in it. */
const reader = (file: string) => {
  const wrong = (field: string, what: string): DataError =>
    new DataError(`${what}: this is no index of token shards`, { file, field, hint: HINT });
  const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 40) ?? "missing";
  return {
    wrong,
    count(value: unknown, field: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
      if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) {
        return value as number;
      }
      const range = most === Number.MAX_SAFE_INTEGER ? `${least} on` : `${least} to ${most}`;
      throw wrong(field, `is ${shown(value)}, no whole number from ${range}`);
    },
    oneOf(value: unknown, field: string, ...allowed: readonly unknown[]): void {
      if (allowed.includes(value)) return;
      throw wrong(field, `is ${shown(value)}, not ${allowed.map(shown).join(" or ")}`);
    },
    fields(value: unknown, field: string): Fields {
      if (isFields(value)) return value;
      throw wrong(field, `is ${shown(value)}, no object`);
    },
  };
};

type Reader = ReturnType<typeof reader>;

/** What all splits share. */
interface Sizes {
  /** Tokens of each file but the last of a split. */
  readonly shardTokens: number;
  /** Tokens of a window of the split, 1 where it has none. */
  readonly window: number;
}

const checkSplit = (read: Reader, name: SplitName, given: unknown, { shardTokens, window }: Sizes): void => {
  const at = `splits.${name}`;
  const split = read.fields(given, at);
  const tokens = read.count(split.tokens, `${at}.tokens`, 0);
  read.count(split.documents, `${at}.documents`, 0, tokens);
  read.count(split.bytes, `${at}.bytes`, 0);
  const { shards } = split;
  if (!Array.isArray(shards)) throw read.wrong(`${at}.shards`, "is no list");
  let sum = 0;
  for (const [i, entry] of shards.entries()) {
    const place = `${at}.shards.${i}`;
    const shard = read.fields(entry, place);
    const names = shardNames(name, i);
    read.oneOf(shard.file, `${place}.file`, names.file);
    read.oneOf(shard.starts, `${place}.starts`, names.starts);
    const least = i < shards.length - 1 ? shardTokens : 1;
    const size = read.count(shard.tokens, `${place}.tokens`, least, shardTokens);
    if (size % window !== 0) throw read.wrong(`${place}.tokens`, `is ${size}, no multiple of ${window}`);
    read.count(shard.pieces, `${place}.pieces`, 0, size);
    sum += size;
  }
  if (sum !== tokens) throw read.wrong(`${at}.tokens`, `is ${tokens}, and its files have ${sum}`);
};

/** index.json, checked. Throws DataError naming the field that is wrong. */
export const parseIndex = (value: unknown, file: string): ShardIndex => {
  const read = reader(file);
  const index = read.fields(value, "index");
  read.oneOf(index.format, "format", "anneal-tokens");
  read.oneOf(index.version, "version", 1);
  const vocabSize = read.count(index.vocabSize, "vocabSize", 1, 2 ** 32);
  read.oneOf(index.dtype, "dtype", dtypeFor(vocabSize), "uint32");
  read.count(index.eos, "eos", 0, vocabSize - 1);
  read.oneOf(index.packing, "packing", "concat", "bestFit");
  read.oneOf(index.documentMask, "documentMask", true, false);
  const shardTokens = read.count(index.shardTokens, "shardTokens", 1);
  const packed = index.packing === "bestFit";
  // A place in a file is kept in 31 bits: the highest one marks padding.
  if (packed) read.count(index.shardTokens, "shardTokens", 1, 2 ** 31);
  else if (index.window !== undefined) throw read.wrong("window", "is given, and nothing is packed");
  const window = packed ? read.count(index.window, "window", 2, shardTokens) : 1;
  if (shardTokens % window !== 0) {
    throw read.wrong("shardTokens", `is ${shardTokens}, no multiple of the window of ${window}`);
  }
  const splits = read.fields(index.splits, "splits");
  for (const name of Object.keys(splits)) read.oneOf(name, "splits", ...splitNames);
  for (const name of splitNames) {
    // Measuring takes each token once, in order: only what is trained on is laid into windows.
    const sizes = { shardTokens, window: name === "train" ? window : 1 };
    if (splits[name] !== undefined) checkSplit(read, name, splits[name], sizes);
  }
  return value as ShardIndex;
};
