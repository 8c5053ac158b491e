/** Files of the merge: documents that wait between passes, and packed token shards, written and read. */
import { closeSync, openSync, readFileSync, readSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { PADDING } from "../../data/batch/packing.ts";
import { parseIndex } from "../../data/batch/tokenIndex.ts";
import type { Append, ShardIndex, SplitIndex } from "../../data/batch/tokenShards.ts";
import type { PieceSource } from "../../data/batch/windows.ts";
import type { MakeSpool, Placed, Spool } from "../../data/pipeline/part.ts";
import type { SplitName } from "../../data/records/splits.ts";
import { DataError } from "../../util/errors.ts";
import { parseText } from "../../util/jsonText.ts";
import { guardedNow } from "../files/files.ts";
import { rows, rowWriter } from "../files/jsonLines.ts";

/** Spools in files of `dir`, one a lane. */
export const fileSpool =
  (dir: string): MakeSpool =>
  (lanes): Spool => {
    const path = (lane: number): string => join(dir, `lane-${String(lane).padStart(5, "0")}.jsonl`);
    const writers = Array.from({ length: lanes }, (_, lane) => rowWriter(path(lane)));
    return {
      add: (doc, lane) => writers[lane]!.add(doc),
      async end() {
        for (const writer of writers) await writer.close();
      },
      documents: (lane) => rows<Placed>(path(lane)),
    };
  };

/** Appends to files in `dir`: whole after `end`, open until `close`. Throws RunError. */
export const appender = (dir: string) => {
  const open = new Map<string, number>();
  const held = new Map<string, { chunks: Uint8Array[]; size: number }>();
  const flush = (file: string): void => {
    const { chunks = [] } = held.get(file) ?? {};
    held.delete(file);
    const bytes = Buffer.concat(chunks);
    guardedNow("writing", join(dir, file), () => {
      const fd = open.get(file) ?? openSync(join(dir, file), "w");
      open.set(file, fd);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
    });
  };
  const append: Append = (file, bytes) => {
    const entry = held.get(file) ?? { chunks: [], size: 0 };
    held.set(file, entry);
    entry.chunks.push(bytes);
    entry.size += bytes.length;
    if (entry.size > 2 ** 18) flush(file);
  };
  const end = (): void => {
    for (const file of Array.from(held.keys())) flush(file);
  };
  const close = (): void => {
    for (const fd of open.values()) closeSync(fd);
    open.clear();
  };
  return { append, end, close };
};

const HINT = "make it with: anneal data";

/** index.json of a folder of token shards. Throws DataError. */
export const readIndex = (dir: string): ShardIndex => {
  const file = join(dir, "index.json");
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new DataError("there is no index of token shards", { file, cause, hint: HINT });
  }
  let value: unknown;
  try {
    value = parseText(text);
  } catch (cause) {
    throw new DataError("is not JSON: this is no index of token shards", { file, cause, hint: HINT });
  }
  return parseIndex(value, file);
};

/** Throws DataError unless `file` is a file of exactly `size` bytes. */
const checkSize = (file: string, size: number): void => {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined)
    throw new DataError("is named in the index and is not there", { file, hint: HINT });
  if (!found.isFile()) throw new DataError("is no file", { file });
  if (found.size === size) return;
  throw new DataError(`has ${found.size} bytes, and its index says ${size}`, { file, hint: HINT });
};

const readExactly = (fd: number, into: Uint8Array, position: number, file: string): void => {
  for (let at = 0; at < into.length; ) {
    const got = readSync(fd, into, at, into.length - at, position + at);
    if (got === 0) throw new DataError("is shorter than its index says", { file, offset: position + at });
    at += got;
  }
};

/** First index of ascending `values` that is not below `value`. */
const lowerBound = (values: Float64Array, value: number): number => {
  let [low, high] = [0, values.length];
  while (low < high) {
    const mid = (low + high) >> 1;
    if (values[mid]! < value) low = mid + 1;
    else high = mid;
  }
  return low;
};

const startsOf = (dir: string, index: ShardIndex, { shards }: SplitIndex) => {
  const all = new Float64Array(shards.reduce((sum, { pieces }) => sum + pieces, 0));
  const padding = new Uint8Array(all.length);
  let n = 0;
  shards.forEach((shard, s) => {
    if (shard.pieces === 0) return;
    const file = join(dir, shard.starts);
    const bytes = readFileSync(file);
    let before = -1;
    for (let i = 0; i < shard.pieces; i++, n++) {
      const start = bytes.readUInt32LE(4 * i);
      const at = start % PADDING;
      if (at <= before || at >= shard.tokens) {
        const what = `has the start ${at} behind ${before}, in a shard of ${shard.tokens} tokens`;
        throw new DataError(what, { file, offset: 4 * i, hint: HINT });
      }
      before = at;
      padding[n] = start >= PADDING ? 1 : 0;
      all[n] = at + s * index.shardTokens;
    }
  });
  return { all, padding };
};

/**
 * A split of token shards whose ids stay in their files: what training reads windows of. Throws DataError
 * where a file is not there, or not of the size that the index says.
 */
export const shardSource = (
  dir: string,
  index: ShardIndex,
  name: SplitName,
): PieceSource & { close(): void } => {
  const split = index.splits[name];
  if (split === undefined) throw new DataError(`has no split "${name}"`, { file: join(dir, "index.json") });
  const width = index.dtype === "uint16" ? 2 : 4;
  const files = split.shards.map(({ file }) => join(dir, file));
  for (const { file, starts, tokens, pieces } of split.shards) {
    checkSize(join(dir, file), tokens * width);
    if (pieces > 0) checkSize(join(dir, starts), 4 * pieces);
  }
  const fds = files.map((file) => guardedNow("opening", file, () => openSync(file, "r")));
  let starts: ReturnType<typeof startsOf> | undefined;
  const read = (shard: number, from: number, count: number): Uint16Array | Uint32Array => {
    const ids = width === 2 ? new Uint16Array(count) : new Uint32Array(count);
    const bytes = new Uint8Array(ids.buffer);
    readExactly(fds[shard]!, bytes, from * width, files[shard]!);
    const end = ids.find((id) => id >= index.vocabSize);
    if (end !== undefined)
      throw new DataError(`has the id ${end} of a vocabulary of ${index.vocabSize}`, { file: files[shard]! });
    return ids;
  };
  return {
    length: split.tokens,
    subarray(start, end) {
      const out = new Int32Array(Math.max(0, Math.min(end, split.tokens) - start));
      for (let at = 0; at < out.length; ) {
        const shard = Math.floor((start + at) / index.shardTokens);
        const from = (start + at) % index.shardTokens;
        const count = Math.min(out.length - at, index.shardTokens - from);
        out.set(read(shard, from, count), at);
        at += count;
      }
      return out;
    },
    pieces(start, end) {
      starts ??= startsOf(dir, index, split);
      const found: number[] = [];
      let used = end - start;
      for (let i = lowerBound(starts.all, start); i < starts.all.length && starts.all[i]! < end; i++) {
        if (starts.padding[i] === 1) used = starts.all[i]! - start;
        else found.push(starts.all[i]! - start);
      }
      return { starts: found, used };
    },
    close() {
      for (const fd of fds) closeSync(fd);
    },
  };
};
