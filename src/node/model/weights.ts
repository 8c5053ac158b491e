/**
 * A folder's weights. First the headers of its safetensors files, a few kilobytes, by which a checkpoint is
 * accepted or refused; then each tensor's bytes in ranges, straight into the array that the model keeps,
 * 16-bit floats widened on the way. So loading takes the memory of the float32 weights and one chunk.
 */
import { type FileHandle, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { ggmlReadTypes } from "../../formats/gguf/ggml.ts";
import type { GgmlForm } from "../../formats/gguf/ggmlBlocks.ts";
import { headerLength, parseHeader } from "../../formats/safetensors/safetensors.ts";
import { decodeIndex, joinShards } from "../../formats/safetensors/safetensorsIndex.ts";
import { byteLength, type Tensor, tensor } from "../../ir/tensor.ts";
import type { LoadPlan } from "../../models/checkpoint/plan.ts";
import type { ParamSpec } from "../../nn/param.ts";
import { DataError, FormatError, MissingError } from "../../util/errors.ts";
import { flatten, type Tree } from "../../util/tree.ts";
import { ggufWeights, isGguf } from "./ggufFile.ts";
import { findFile, needFile, readText } from "./modelFile.ts";
import type { TensorPlace, WeightFiles } from "./tensorPlace.ts";

/** The file of weights that are in one. */
export const SINGLE = "model.safetensors";
/** The file that tells where weights of several files are. */
export const INDEX = "model.safetensors.index.json";

/** Bytes that are read and widened at once. */
const CHUNK = 2 ** 20;

/** Largest piece of a float32 tensor that one call reads, bytes. */
const PIECE = 2 ** 28;

/** Names of shards. */
export const SHARD = /^model-\d{5,6}-of-\d{5,6}\.safetensors$/;

/** Files that are unpickled or run by what reads them, or hold weights in another framework's form. */
const FOREIGN = /\.(bin|pt|pth|ckpt|pkl|pickle|h5|msgpack|npz|npy|tflite)$/;

/** Reads exactly `into.length` bytes from `offset`. Throws FormatError where the file ends before. */
const readFully = async (handle: FileHandle, into: Uint8Array, offset: number, file: string) => {
  for (let at = 0; at < into.length; ) {
    const length = Math.min(PIECE, into.length - at);
    const { bytesRead } = await handle.read(into, at, length, offset + at).catch((cause) => {
      throw new DataError(`cannot be read (${cause.code})`, { file, cause });
    });
    if (bytesRead === 0) throw new FormatError("ends while it is read", { file, offset: offset + at });
    at += bytesRead;
  }
};

const withFile = async <T>(path: string, file: string, use: (handle: FileHandle) => Promise<T>) => {
  const handle = await open(path).catch((cause) => {
    throw new DataError(`cannot be read (${cause.code})`, { file, cause });
  });
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
};

/** Tensors of one file by its header, which is checked against the file's size before it is read. */
const headerOf = async (dir: string, name: string): Promise<Map<string, TensorPlace>> => {
  const file = join(dir, name);
  const path = await needFile(dir, name);
  return withFile(path, file, async (handle) => {
    const { size } = await handle.stat();
    const first = new Uint8Array(Math.min(8, size));
    await readFully(handle, first, 0, file);
    const bytes = new Uint8Array(8 + headerLength(first, size, file));
    await readFully(handle, bytes, 0, file);
    const { entries, dataOffset } = parseHeader(bytes, file, size);
    const places = new Map<string, TensorPlace>();
    for (const [tensorName, { dtype, shape, start }] of entries) {
      places.set(tensorName, { dtype, shape, name, path, offset: dataOffset + start });
    }
    return places;
  });
};

const sharded = async (dir: string): Promise<WeightFiles> => {
  const file = join(dir, INDEX);
  const index = decodeIndex(await readText(dir, INDEX), file);
  const names = new Set(index.values());
  const extra = (await readdir(dir)).find((name) => SHARD.test(name) && !names.has(name));
  if (extra !== undefined) {
    throw new FormatError("is a shard that the index does not name", {
      file: join(dir, extra),
      hint: `delete it, if it is of another model, or make ${INDEX} anew`,
    });
  }
  const shards = new Map<string, ReadonlyMap<string, TensorPlace>>();
  for (const name of names) shards.set(name, await headerOf(dir, name));
  return { file, places: joinShards(index, shards) };
};

/** Throws FormatError where `names` holds weights in a form that is not read, with the way to convert it. */
export const refuseForeignWeights = (names: Iterable<string>, dir: string): void => {
  const foreign = [...names].filter((name) => FOREIGN.test(name)).sort();
  if (foreign.length === 0) return;
  throw new FormatError(
    `holds its weights as ${foreign.slice(0, 3).join(", ")} and not as safetensors: a pickle can run code`,
    {
      file: dir,
      hint:
        "convert them in Python with transformers: AutoModel.from_pretrained(DIR).save_pretrained(OUT), " +
        "or use https://huggingface.co/spaces/safetensors/convert",
    },
  );
};

/**
 * The weights' files of a folder: model.safetensors, else the shards of its index; or those of a GGUF file.
 * Throws DataError where there are none, FormatError for pickles and for files that break their format.
 */
export const findWeights = async (dir: string): Promise<WeightFiles> => {
  if (await isGguf(dir)) return ggufWeights(dir);
  if ((await findFile(dir, SINGLE)) !== undefined) {
    return { file: join(dir, SINGLE), places: await headerOf(dir, SINGLE) };
  }
  if ((await findFile(dir, INDEX)) !== undefined) return sharded(dir);
  const names = await readdir(dir);
  refuseForeignWeights(names, dir);
  throw new DataError("is not there", {
    file: join(dir, SINGLE),
    hint: `a model's folder has ${SINGLE}, or ${INDEX} and the files that it names`,
  });
};

/** The weights of a plan that its safetensors files have in 16 bits, by name; of a GGUF file none. */
export const halvesIn = (
  plan: LoadPlan,
  { places }: WeightFiles,
): ReadonlyMap<string, "float16" | "bfloat16"> => {
  const halves = new Map<string, "float16" | "bfloat16">();
  for (const [name, source] of [...plan.sources, ...plan.twins]) {
    const { dtype, form } = places.get(source)!;
    if (form === undefined && (dtype === "float16" || dtype === "bfloat16")) halves.set(name, dtype);
  }
  return halves;
};

const decimal = (bytes: number): string =>
  bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;

/** Throws MissingError where the float32 weights of a plan need more than `free` bytes. */
export const checkMemory = (plan: LoadPlan, file: string, free: number): void => {
  let needed = CHUNK;
  const specs = flatten<ParamSpec>(plan.specs as Tree<ParamSpec>);
  for (const spec of specs.values()) needed += byteLength(spec);
  for (const alias of plan.twins.keys()) needed += byteLength(specs.get(plan.tied.get(alias)!)!);
  if (needed <= free) return;
  throw new MissingError(`the model needs ${decimal(needed)} of memory, ${decimal(free)} are free`, {
    file,
    hint: "end other programs, use a machine with more memory, or choose a smaller model",
  });
};

/** How numbers of a dtype are read. */
const forms: Readonly<Record<string, GgmlForm>> = {
  float32: ggmlReadTypes.f32,
  float16: ggmlReadTypes.f16,
  bfloat16: ggmlReadTypes.bf16,
};

/** Reads a tensor as float32; `scratch` holds what is being widened. */
const readTensor = async (handle: FileHandle, place: TensorPlace, scratch: Uint8Array, file: string) => {
  const data = new Float32Array(byteLength({ dtype: "float32", shape: place.shape }) / 4);
  const form = place.form ?? forms[place.dtype]!;
  const { block, blockBytes } = form;
  if (form === ggmlReadTypes.f32) {
    await readFully(handle, new Uint8Array(data.buffer), place.offset, file);
  } else {
    const step = block * Math.floor(scratch.length / blockBytes);
    for (let at = 0; at < data.length; at += step) {
      const part = data.subarray(at, at + step);
      const bytes = scratch.subarray(0, (part.length / block) * blockBytes);
      await readFully(handle, bytes, place.offset + (at / block) * blockBytes, file);
      form.unpack(bytes, part);
    }
  }
  return tensor("float32", place.shape, place.arrange === undefined ? data : place.arrange(data));
};

/** The weights of a plan by name, as float32. Throws DataError and FormatError where reading fails. */
export const readWeights = async (
  plan: LoadPlan,
  { file, places }: WeightFiles,
): Promise<Map<string, Tensor>> => {
  const byPath = new Map<string, [name: string, place: TensorPlace][]>();
  for (const [name, source] of [...plan.sources, ...plan.twins]) {
    const place = places.get(source)!;
    const list = byPath.get(place.path) ?? [];
    byPath.set(place.path, list);
    list.push([name, place]);
  }
  const weights = new Map<string, Tensor>();
  const scratch = new Uint8Array(CHUNK);
  for (const [path, list] of byPath) {
    await withFile(path, file, async (handle) => {
      // In the order of the file: a disk, and the system's reading ahead, are fastest so.
      for (const [name, place] of list.sort(([, a], [, b]) => a.offset - b.offset)) {
        weights.set(name, await readTensor(handle, place, scratch, join(file, "..", place.name)));
      }
    });
  }
  return weights;
};
