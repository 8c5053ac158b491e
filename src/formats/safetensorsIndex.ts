/** model.safetensors.index.json: which file of a sharded checkpoint holds which tensor. */
import { byteLength, type Tensor } from "../ir/tensor.ts";
import { FormatError } from "../util/errors.ts";
import { repeatedKey } from "./jsonKeys.ts";

const INDEX = "model.safetensors.index.json";
const PLAIN_NAME = /^[\w.-]+\.safetensors$/;

/** Tensor names by file, each file of at most `maxBytes` unless one tensor alone is larger. */
export const planShards = (tensors: ReadonlyMap<string, Tensor>, maxBytes: number): string[][] => {
  const shards: string[][] = [];
  let room = 0;
  for (const [name, t] of tensors) {
    const size = byteLength(t);
    if (shards.length === 0 || size > room) {
      shards.push([]);
      room = maxBytes;
    }
    shards.at(-1)!.push(name);
    room -= size;
  }
  return shards;
};

/** "model-00001-of-00003.safetensors" */
export const shardName = (index: number, count: number): string => {
  const five = (n: number): string => String(n).padStart(5, "0");
  return `model-${five(index + 1)}-of-${five(count)}.safetensors`;
};

/** The index's JSON text. */
export const encodeIndex = (
  shards: readonly (readonly string[])[],
  tensors: ReadonlyMap<string, Tensor>,
): string => {
  let total = 0;
  for (const t of tensors.values()) total += byteLength(t);
  const entries = shards.flatMap((names, i) => names.map((name) => [name, shardName(i, shards.length)]));
  const map = entries
    .map(([name, file]) => `${JSON.stringify(name)}: ${JSON.stringify(file)}`)
    .join(",\n    ");
  return `{\n  "metadata": {"total_size": ${total}},\n  "weight_map": {\n    ${map}\n  }\n}\n`;
};

export interface SafetensorsIndex {
  /** Tensor name -> file. */
  readonly places: ReadonlyMap<string, string>;
  /** Bytes of all tensors, where the index says it. */
  readonly totalBytes?: number;
}

type Json = Record<string, unknown>;

const isObject = (x: unknown): x is Json => typeof x === "object" && x !== null && !Array.isArray(x);

const totalOf = (metadata: unknown, file: string): number | undefined => {
  const total = isObject(metadata) ? metadata.total_size : undefined;
  if (total === undefined || (Number.isSafeInteger(total) && (total as number) >= 0)) {
    return total as number | undefined;
  }
  throw new FormatError(`must be a number of bytes, not ${JSON.stringify(total)}`, {
    file,
    field: "metadata.total_size",
  });
};

/**
 * Reads and checks an index. Throws FormatError for a map that is none, a name given twice, and files
 * outside the folder.
 */
export const decodeIndex = (text: string, file: string = INDEX): SafetensorsIndex => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`is not JSON (${(cause as Error).message})`, { file, cause });
  }
  const map = (json as Json | null)?.weight_map;
  if (!isObject(map)) {
    throw new FormatError("must be an object of tensor names and files", { file, field: "weight_map" });
  }
  const twice = repeatedKey(text);
  if (twice !== undefined) {
    const { key: tensor, offset } = twice;
    throw new FormatError("stands twice in the same object", { file, tensor, offset });
  }
  const entries = Object.entries(map);
  for (const [tensor, shard] of entries) {
    if (typeof shard === "string" && PLAIN_NAME.test(shard) && !shard.includes("..")) continue;
    throw new FormatError(
      `names the file ${JSON.stringify(shard)}; only a .safetensors file beside it is read`,
      { file, tensor },
    );
  }
  const totalBytes = totalOf((json as Json).metadata, file);
  return {
    places: new Map(entries as [string, string][]),
    ...(totalBytes === undefined ? {} : { totalBytes }),
  };
};

/**
 * Joins what shards hold (tensors, or their headers' entries) by the index. Throws FormatError for names
 * missing, unexpected, or in another file than it says.
 */
export const joinShards = <T>(
  index: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, ReadonlyMap<string, T>>,
): Map<string, T> => {
  const all = new Map<string, T>();
  for (const [shard, held] of shards) {
    for (const [name, one] of held) {
      if (index.get(name) !== shard)
        throw new FormatError("is not where the index says", { file: shard, tensor: name });
      all.set(name, one);
    }
  }
  for (const [name, shard] of index) {
    if (!all.has(name))
      throw new FormatError("is named by the index and is not there", { file: shard, tensor: name });
  }
  return all;
};
