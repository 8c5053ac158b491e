/**
 * Packed token shards: files of 16 or 32-bit ids (little-endian), beside each the places where its documents
 * start, and index.json. Training reads windows of them as a pure function of the batch's index, in constant
 * memory.
 */

import type { SplitName } from "../records/splits.ts";
import { bestFitPacker, PADDING, type PackedBlock } from "./packing.ts";

/** "concat": documents end to end; "bestFit": laid into windows of a fixed length. */
export type Packing = "concat" | "bestFit";

/** One file of a split. */
export interface ShardEntry {
  /** Ids, `tokens` of them. */
  readonly file: string;
  /** Starts of documents in the file, 32 bits each; PADDING is added to the start of padding. */
  readonly starts: string;
  readonly tokens: number;
  readonly pieces: number;
}

/** One part of the data: its size and its files. */
export interface SplitIndex {
  readonly tokens: number;
  readonly documents: number;
  /** UTF-8 bytes of the documents' text. */
  readonly bytes: number;
  readonly shards: readonly ShardEntry[];
}

/** The contents of index.json. */
export interface ShardIndex {
  readonly format: "anneal-tokens";
  readonly version: 1;
  readonly dtype: "uint16" | "uint32";
  readonly vocabSize: number;
  readonly eos: number;
  readonly packing: Packing;
  /** Tokens of a window where documents were laid into windows: the context and one more. */
  readonly window?: number;
  /** Tokens of each file but the last of a split. */
  readonly shardTokens: number;
  readonly documentMask: boolean;
  readonly splits: Readonly<Partial<Record<SplitName, SplitIndex>>>;
}

/** Tokens of one shard unless told. */
export const SHARD_TOKENS = 2 ** 24;

/** The smallest type that holds all ids. */
export const dtypeFor = (vocabSize: number): ShardIndex["dtype"] =>
  vocabSize <= 2 ** 16 ? "uint16" : "uint32";

/** Appends bytes to a file by its name. */
export type Append = (file: string, bytes: Uint8Array) => void;

const bytesOf = (array: Uint16Array | Uint32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Which part is written, and in what form. */
export interface TokenWriterOptions {
  readonly split: SplitName;
  readonly dtype: ShardIndex["dtype"];
  readonly eos: number;
  readonly packing: Packing;
  /** Context of training, tokens: needed for "bestFit". */
  readonly context: number;
  readonly shardTokens?: number;
}

/** Tokens of a file: a multiple of the window where there are windows. */
export const shardTokensOf = ({
  packing,
  context,
  shardTokens = SHARD_TOKENS,
}: TokenWriterOptions): number => {
  const window = context + 1;
  return packing === "concat" ? shardTokens : Math.max(1, Math.floor(shardTokens / window)) * window;
};

/** Names of the files of a split's shard, counted from 0. */
export const shardNames = (split: SplitName, shard: number): Pick<ShardEntry, "file" | "starts"> => {
  const name = `${split}-${String(shard).padStart(5, "0")}`;
  return { file: `${name}.bin`, starts: `${name}.starts.bin` };
};

/** The files of a split as they grow; ids are cut where a file is full. */
const shardFiles = (options: TokenWriterOptions, append: Append) => {
  const { split, dtype } = options;
  const limit = shardTokensOf(options);
  const shards: { file: string; starts: string; tokens: number; pieces: number }[] = [];
  const last = () => {
    if (shards.length === 0 || shards.at(-1)!.tokens === limit) {
      shards.push({ ...shardNames(split, shards.length), tokens: 0, pieces: 0 });
    }
    return shards.at(-1)!;
  };
  /** Appends ids, with the starts among them (relative to them, PADDING added where padding starts). */
  const write = (ids: Uint32Array, starts: Uint32Array): void => {
    for (let at = 0, s = 0; at < ids.length; ) {
      const shard = last();
      const end = at + Math.min(limit - shard.tokens, ids.length - at);
      const from = s;
      while (s < starts.length && starts[s]! % PADDING < end) s++;
      if (s > from) append(shard.starts, bytesOf(starts.slice(from, s).map((x) => x - at + shard.tokens)));
      append(
        shard.file,
        bytesOf(dtype === "uint16" ? Uint16Array.from(ids.subarray(at, end)) : ids.slice(at, end)),
      );
      shard.pieces += s - from;
      shard.tokens += end - at;
      at = end;
    }
  };
  return { shards, write };
};

/** Writes one split: documents in, files appended to as they grow. */
export const tokenWriter = (options: TokenWriterOptions, append: Append) => {
  const { eos, packing, context } = options;
  const { shards, write } = shardFiles(options, append);
  const totals = { documents: 0, bytes: 0 };
  const packer = packing === "bestFit" ? bestFitPacker(context + 1, eos) : undefined;
  const writeBlock = ({ tokens, starts }: PackedBlock): void => write(tokens, starts);
  return {
    /** Adds a document's ids, the end-of-text token among them. */
    add(document: Uint32Array, bytes: number): void {
      totals.documents++;
      totals.bytes += bytes;
      if (packer === undefined) write(document, Uint32Array.of(0));
      else for (const block of packer.add(document)) writeBlock(block);
    },
    end(): SplitIndex {
      const block = packer?.flush();
      if (block !== undefined) writeBlock(block);
      return { tokens: shards.reduce((sum, { tokens }) => sum + tokens, 0), ...totals, shards };
    },
  };
};
