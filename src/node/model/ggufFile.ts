/**
 * A GGUF file as a model's folder: its header says what config.json, generation_config.json, tokenizer.json
 * and tokenizer_config.json of a folder do, and where the weights lie. Read are the header and, of the data,
 * what is asked for.
 */
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { ggmlReadTypes } from "../../formats/gguf/ggml.ts";
import { type GgufHeader, parseGguf } from "../../formats/gguf/read.ts";
import { configOfGguf, type GgufFacts, ggufModelType } from "../../models/gguf/config.ts";
import { turn, unpairRows } from "../../models/gguf/layout.ts";
import { ggufPlaces, type Place } from "../../models/gguf/places.ts";
import { ROPE_FREQS } from "../../models/gguf/rope.ts";
import type { Json } from "../../models/model.ts";
import { fromGguf, ggufStopIds } from "../../tokenizer/index.ts";
import { DataError, FormatError } from "../../util/errors.ts";
import { type Metadata, metadataOf, needed } from "../../util/metadata.ts";
import type { TensorPlace, WeightFiles } from "./tensorPlace.ts";

/** Bytes of the header that are read at first, and the most that it may have: vocabularies are in it. */
const [FIRST, MOST] = [2 ** 22, 2 ** 26];

/** Widest head whose rotary divisors are read. */
const MAX_FACTORS = 1 << 16;

/** Whether a path is a GGUF file, by its name. */
export const isGguf = async (path: string): Promise<boolean> =>
  /\.gguf$/i.test(path) && (await stat(path).catch(() => undefined))?.isFile() === true;

/** GGUF files among names; those of a model's eyes or ears are none of its weights. */
const ggufNames = (names: Iterable<string>): string[] =>
  [...names].filter((name) => /\.gguf$/i.test(name) && !/^mmproj/i.test(name)).sort();

/**
 * One GGUF file of several: that of the name `wanted`, or of the name's ending ("Q4_K_M" of m-Q4_K_M.gguf);
 * the only one unless told. Throws DataError where that is none or not one.
 */
const chooseGguf = (names: readonly string[], place: string, wanted?: string): string => {
  const ends = wanted === undefined ? "" : `${wanted.toLowerCase()}.gguf`;
  const fitting = names.filter((name) => {
    const at = name.length - ends.length;
    if (wanted === undefined || name === wanted || at === 0) return true;
    return /[.-]/.test(name[at - 1] ?? "") && name.toLowerCase().endsWith(ends);
  });
  if (fitting.length === 1) return fitting[0]!;
  const shown = `${names.slice(0, 8).join(", ")}${names.length > 8 ? " ..." : ""}`;
  throw new DataError(
    wanted === undefined
      ? `holds ${names.length} GGUF files: ${shown}`
      : `holds no one ${wanted} of ${shown}`,
    { file: place, hint: "name one of them: DIR/FILE.gguf of a folder, ORG/NAME:FILE.gguf of the Hub" },
  );
};

/** Whether a folder's or repository's files have weights as safetensors. */
const hasSafetensors = (names: readonly string[]): boolean =>
  names.some((name) => /\.safetensors(\.index\.json)?$/.test(name));

/**
 * The name of the GGUF file to read among a place's files: the one that is wanted, or the only one where the
 * weights have no other form; undefined for none. Throws as `chooseGguf`.
 */
export const ggufAmong = (all: readonly string[], place: string, wanted?: string): string | undefined => {
  const names = ggufNames(all);
  if (wanted === undefined && (names.length === 0 || hasSafetensors(all))) return undefined;
  return chooseGguf(names, place, wanted);
};

/** The path of the GGUF file to read in a folder: see `ggufAmong`. */
export const ggufIn = async (dir: string, wanted?: string): Promise<string | undefined> => {
  const name = ggufAmong(await readdir(dir), dir, wanted);
  return name === undefined ? undefined : join(dir, name);
};

const readAt = async (handle: FileHandle, length: number, offset: number): Promise<Uint8Array> => {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await handle.read(bytes, at, length - at, offset + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
};

const headerOf = async (handle: FileHandle, file: string): Promise<GgufHeader> => {
  const { size } = await handle.stat();
  for (let length = Math.min(FIRST, size); ; length = Math.min(4 * length, size)) {
    const header = parseGguf(await readAt(handle, length, 0), file, size);
    if (header !== undefined) return header;
    if (length >= MOST) throw new FormatError(`has a header of more than ${MOST} bytes`, { file });
    if (length === size) throw new FormatError("ends while it is read", { file });
  }
};

const withFile = async <T>(file: string, use: (handle: FileHandle) => Promise<T>): Promise<T> => {
  const failed = (cause: NodeJS.ErrnoException): never => {
    if (cause.code === undefined) throw cause;
    throw new DataError(`cannot be read (${cause.code})`, { file, cause });
  };
  const handle = await open(file).catch(failed);
  try {
    return await use(handle).catch(failed);
  } finally {
    await handle.close();
  }
};

/** The header of a GGUF file. Throws DataError where it cannot be read, FormatError where it is malformed. */
export const readGgufHeader = (file: string): Promise<GgufHeader> =>
  withFile(file, (handle) => headerOf(handle, file));

/** The divisors of rotary frequencies, where the file has them. */
const ropeFactors = async (file: string, { places }: GgufHeader): Promise<Float32Array | undefined> => {
  const place = places.get(ROPE_FREQS);
  if (place === undefined) return undefined;
  if (place.type !== "f32" || place.shape.length !== 1 || place.shape[0]! > MAX_FACTORS)
    throw new FormatError("is no list of float32 divisors", { file, tensor: ROPE_FREQS });
  const bytes = await withFile(file, (handle) => readAt(handle, place.sizeBytes, place.offset));
  return ggmlReadTypes.f32.unpack(bytes);
};

const factsOf = async (file: string, header: GgufHeader): Promise<GgufFacts> => {
  const shapes = new Map(Array.from(header.places, ([name, { shape }]) => [name, shape] as const));
  const factors = await ropeFactors(file, header);
  return factors === undefined ? { shapes } : { shapes, ropeFactors: factors };
};

const generation = (m: Metadata): Json => {
  const ids = ggufStopIds(m);
  const one = Object.entries({ bos: "bos", pad: "padding" }).flatMap(([short, long]) => {
    const id = m.count(`tokenizer.ggml.${long}_token_id`);
    return id === undefined ? [] : [[`${short}_token_id`, id] as const];
  });
  return { ...Object.fromEntries(one), ...(ids.length === 0 ? {} : { eos_token_id: ids }) };
};

type Maker = (m: Metadata, file: string, header: GgufHeader) => Json | Promise<Json>;

const makers: Readonly<Record<string, Maker>> = {
  "config.json": async (m, file, header) => configOfGguf(m, await factsOf(file, header)) as Json,
  "generation_config.json": generation,
  "tokenizer.json": (m) => fromGguf(m).tokenizer,
  "tokenizer_config.json": (m) => fromGguf(m).config,
};

/**
 * What a folder's JSON file would say of the model of a GGUF file; undefined for a file that there is none
 * of. Throws as `readGgufHeader`, and FormatError naming the key that is wrong.
 */
export const ggufJson = async (file: string, name: string): Promise<Json | undefined> => {
  const make = Object.hasOwn(makers, name) ? makers[name] : undefined;
  if (make === undefined) return undefined;
  const header = await readGgufHeader(file);
  return make(metadataOf(header.metadata, file), file, header);
};

/** Tensors that are computed from the config. */
const COMPUTED = /^rope_freqs\.weight$|\.attn_rot_embd\.weight$/;

/** Undoes a layout of llama.cpp's in a tensor of `rows`. */
const arrangeOf = (m: Metadata, { layout }: Place, shape: readonly number[]): TensorPlace["arrange"] => {
  if (layout === "as is") return undefined;
  if (layout === "turned") return (data) => turn(data, shape);
  const prefix = `${ggufModelType(m)}.attention`;
  const query = needed(m, `${prefix}.head_count`, m.count(`${prefix}.head_count`));
  const heads = layout === "query" ? query : (m.count(`${prefix}.head_count_kv`) ?? query);
  const key = layout === "query" ? "head_count" : "head_count_kv";
  if (shape[0]! % (2 * heads) !== 0)
    m.fail(`${prefix}.${key}`, `${heads} heads have no pairs of ${shape[0]} rows`);
  return (data) => {
    unpairRows(data, shape[0]!, heads);
    return data;
  };
};

/**
 * The weights of a GGUF file by the names that the model has for them. Throws DataError where it cannot be
 * read, FormatError where it is malformed or of an architecture that is not known.
 */
export const ggufWeights = async (file: string): Promise<WeightFiles> => {
  const header = await readGgufHeader(file);
  const m = metadataOf(header.metadata, file);
  const parts = m.count("split.count") ?? 1;
  const whole = "join the parts with llama.cpp's llama-gguf-split --merge";
  if (parts > 1) m.fail("split.count", `is ${parts}: the file is one of the parts of a model`, whole);
  const { weightOf } = ggufPlaces[ggufModelType(m)];
  const places = new Map<string, TensorPlace>();
  for (const [name, { type, shape, offset }] of header.places) {
    if (COMPUTED.test(name)) continue;
    const place = weightOf(name) ?? { name, layout: "as is" };
    const arrange = arrangeOf(m, place, shape);
    places.set(place.name, {
      dtype: "float32",
      shape: place.layout === "turned" ? shape.toReversed() : shape,
      name: basename(file),
      path: file,
      offset,
      form: ggmlReadTypes[type],
      ...(arrange === undefined ? {} : { arrange }),
    });
  }
  return { file, places };
};
