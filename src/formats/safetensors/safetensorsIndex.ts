/** model.safetensors.index.json: which file of a sharded checkpoint holds which tensor. */
import { byteLength, type Tensor } from "../../ir/tensor.ts";
import { FormatError } from "../../util/errors.ts";
import { parseText } from "../../util/jsonText.ts";
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

type Json = Record<string, unknown>;

const isObject = (x: unknown): x is Json => typeof x === "object" && x !== null && !Array.isArray(x);

/**
 * Reads and checks an index: tensor name -> file. Its `metadata` says nothing that the files do not say
 * better, and is often wrong. Throws FormatError for a map that is none, a name given twice, and files
 * outside the folder.
 */
export const decodeIndex = (text: string, file: string = INDEX): ReadonlyMap<string, string> => {
  let json: unknown;
  try {
    json = parseText(text);
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
  return new Map(entries as [string, string][]);
};

/**
 * Joins what shards hold (tensors, or their headers' entries). Where several hold a tensor the index decides;
 * one that it does not list, or seeks elsewhere, is taken from where it is. Throws FormatError for names that
 * are missing, or in several shards without a word of the index.
 */
export const joinShards = <T>(
  index: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, ReadonlyMap<string, T>>,
): Map<string, T> => {
  const found = new Map<string, string>();
  for (const [shard, held] of shards) {
    for (const tensor of held.keys()) {
      const other = found.get(tensor);
      const said = index.get(tensor);
      if (other !== undefined && said !== shard && said !== other) {
        throw new FormatError(`is in ${other} too, and the index does not say which to take`, {
          file: shard,
          tensor,
        });
      }
      if (other === undefined || said === shard) found.set(tensor, shard);
    }
  }
  for (const [tensor, file] of index) {
    if (!found.has(tensor)) throw new FormatError("is named by the index and is not there", { file, tensor });
  }
  return new Map(Array.from(found, ([tensor, shard]) => [tensor, shards.get(shard)!.get(tensor)!]));
};
