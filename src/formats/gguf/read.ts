/**
 * Reads GGUF versions 2 and 3 with every declared size checked against the bytes that are there, and against
 * limits, before anything is made: counts, lengths and offsets in such files have been used to attack their
 * readers. A large file is read by its header alone, a part of which is enough to begin with.
 */
import { FormatError } from "../../util/errors.ts";
import { type GgmlReadType, ggmlOtherTypes, ggmlReadTypes } from "./ggml.ts";
import {
  GGUF_ALIGNMENT,
  GGUF_MAGIC,
  GGUF_VERSION,
  type GgufScalar,
  type GgufScalarType,
  type GgufValue,
  ggufTypes,
  MAX_DIMENSIONS,
} from "./gguf.ts";

/** Where a tensor's bytes lie. */
export interface GgufPlace {
  /** Row-major. */
  readonly shape: readonly number[];
  readonly type: GgmlReadType;
  /** From the start of the file. */
  readonly offset: number;
  readonly sizeBytes: number;
}

/** A file's metadata, and where its tensors lie. */
export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly places: ReadonlyMap<string, GgufPlace>;
}

/** A tensor of a file, still packed. */
export interface GgufEntry {
  /** Row-major. */
  readonly shape: readonly number[];
  readonly type: GgmlReadType;
  /** A view of the file. */
  readonly bytes: Uint8Array;
}

/** A file's metadata and tensors. */
export interface DecodedGguf {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufEntry>;
}

const MAX_KEYS = 100_000;
const MAX_TENSORS = 1_000_000;
const MAX_STRING = 10_000_000;
/** Values of one list: tokens are a million at most. */
const MAX_LIST = 1 << 22;
const MAX_ALIGNMENT = 1 << 20;

const VERSIONS: readonly number[] = [2, GGUF_VERSION];

const typeNames = new Map(Object.entries(ggufTypes).map(([name, id]) => [id as number, name]));
const formNames = new Map<number, GgmlReadType>(
  Object.entries(ggmlReadTypes).map(([name, { id }]) => [id, name as GgmlReadType]),
);

/** The header goes on behind the bytes that are there. */
class More extends Error {}

/** Least bytes of one value of a type. */
const widths: Readonly<Record<GgufScalarType, number>> = {
  uint8: 1,
  int8: 1,
  bool: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  uint64: 8,
  int64: 8,
  float64: 8,
  string: 8,
};

/** A reader of the first bytes of a file of `fileBytes`. */
const readerOf = (bytes: Uint8Array, file: string, fileBytes: number) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  let at = 0;
  const fail = (message: string, details: { field?: string; tensor?: string } = {}): never => {
    throw new FormatError(message, { file, offset: at, ...details });
  };
  const take = (count: number): number => {
    if (count > fileBytes - at)
      fail(`ends after ${fileBytes} bytes, within a value of ${count} at this place`);
    if (count > bytes.length - at) throw new More();
    at += count;
    return at - count;
  };
  /** A count or size of at most `most`. */
  const count = (what: string, most: number): number => {
    const value = view.getBigUint64(take(8), true);
    return value > BigInt(Math.floor(most))
      ? fail(`declares ${value} ${what}; at most ${most} can be there`)
      : Number(value);
  };
  const string = (): string => {
    const length = count("bytes of text", Math.min(MAX_STRING, fileBytes));
    const start = take(length);
    try {
      return utf8.decode(bytes.subarray(start, start + length));
    } catch {
      return fail("has text that is not UTF-8");
    }
  };
  const bool = (): boolean => {
    const byte = view.getUint8(take(1));
    return byte > 1 ? fail(`has a truth value of ${byte}`) : byte === 1;
  };
  const scalars: Readonly<Record<GgufScalarType, () => GgufScalar>> = {
    uint8: () => view.getUint8(take(1)),
    int8: () => view.getInt8(take(1)),
    uint16: () => view.getUint16(take(2), true),
    int16: () => view.getInt16(take(2), true),
    uint32: () => view.getUint32(take(4), true),
    int32: () => view.getInt32(take(4), true),
    float32: () => view.getFloat32(take(4), true),
    float64: () => view.getFloat64(take(8), true),
    uint64: () => view.getBigUint64(take(8), true),
    int64: () => view.getBigInt64(take(8), true),
    bool,
    string,
  };
  const uint32 = (): number => view.getUint32(take(4), true);
  return { fail, count, string, uint32, scalars, skip: take, at: () => at, left: () => fileBytes - at };
};

type Reader = ReturnType<typeof readerOf>;

const typeOf = (r: Reader, field: string): keyof typeof ggufTypes => {
  const id = r.uint32();
  return (typeNames.get(id) ??
    r.fail(`has a type ${id} that is not known`, { field })) as keyof typeof ggufTypes;
};

const readValue = (r: Reader, field: string): GgufValue => {
  const type = typeOf(r, field);
  if (type !== "array") return { type, value: r.scalars[type]() };
  const of = typeOf(r, field);
  if (of === "array") return r.fail("is a list of lists, which is not read", { field });
  const length = r.count("elements", Math.min(MAX_LIST, r.left() / widths[of]));
  const read = r.scalars[of];
  const value: GgufScalar[] = [];
  for (let i = 0; i < length; i++) value.push(read());
  return { type, of, value };
};

const metadataOf = (r: Reader, count: number): Map<string, GgufValue> => {
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    const key = r.string();
    if (key === "") r.fail("has a key without a name");
    if (metadata.has(key)) r.fail("stands twice in the file", { field: key });
    metadata.set(key, readValue(r, key));
  }
  return metadata;
};

const alignmentOf = (r: Reader, metadata: ReadonlyMap<string, GgufValue>): number => {
  const field = "general.alignment";
  const given = metadata.get(field);
  if (given === undefined) return GGUF_ALIGNMENT;
  const { type, value } = given;
  const power = typeof value === "number" && value > 0 && (value & (value - 1)) === 0;
  if (type !== "uint32" || !power || value > MAX_ALIGNMENT)
    return r.fail(`must be a power of two up to ${MAX_ALIGNMENT}`, { field });
  return value;
};

interface Declared extends Omit<GgufPlace, "offset"> {
  readonly name: string;
  /** From the start of the data. */
  readonly offset: number;
}

const typeOfTensor = (r: Reader, tensor: string): GgmlReadType => {
  const id = r.uint32();
  const other = ggmlOtherTypes.get(id);
  const shown = other === undefined ? `the ggml type ${id}` : `the type ${other}`;
  return formNames.get(id) ?? r.fail(`is of ${shown}, which is not read`, { tensor });
};

const declaredOf = (r: Reader, fileBytes: number): Declared => {
  const name = r.string();
  const details = { tensor: name };
  const rank = r.uint32();
  if (rank > MAX_DIMENSIONS) r.fail(`has ${rank} dimensions; at most ${MAX_DIMENSIONS} can be`, details);
  const reversed = Array.from({ length: rank }, () => r.count("rows", Number.MAX_SAFE_INTEGER));
  const type = typeOfTensor(r, name);
  const offset = r.count("bytes before a tensor", fileBytes);
  const shape = reversed.reverse();
  const { block, blockBytes } = ggmlReadTypes[type];
  if ((shape.at(-1) ?? 1) % block !== 0) r.fail(`has rows that are not whole blocks of ${block}`, details);
  const sizeBytes = (shape.reduce((a, d) => a * d, 1) / block) * blockBytes;
  if (!(sizeBytes <= fileBytes))
    r.fail(`declares the shape [${shape.join(", ")}], more than the file has`, details);
  return { name, shape, type, offset, sizeBytes };
};

const checkVersion = (r: Reader): void => {
  const magic = Array.from({ length: 4 }, () => String.fromCharCode(r.scalars.uint8() as number)).join("");
  if (magic !== GGUF_MAGIC) r.fail("does not begin with GGUF");
  const version = r.uint32();
  if (VERSIONS.includes(version)) return;
  if ((version & 0xffff) === 0) r.fail("is written for big-endian machines, which is not read");
  r.fail(`is of version ${version}; ${VERSIONS.join(" and ")} are read`);
};

const headerOf = (r: Reader, fileBytes: number): GgufHeader => {
  checkVersion(r);
  const tensorCount = r.count("tensors", Math.min(MAX_TENSORS, fileBytes / 24));
  const keyCount = r.count("keys", Math.min(MAX_KEYS, fileBytes / 13));
  const metadata = metadataOf(r, keyCount);
  const alignment = alignmentOf(r, metadata);
  const declared: Declared[] = [];
  for (let i = 0; i < tensorCount; i++) declared.push(declaredOf(r, fileBytes));
  const align = (n: number) => Math.ceil(n / alignment) * alignment;
  const start = align(r.at());
  const places = new Map<string, GgufPlace>();
  let at = 0;
  for (const { name, offset, ...place } of declared) {
    const details = { tensor: name };
    if (places.has(name)) r.fail("stands twice in the file", details);
    if (offset !== at) r.fail(`lies at ${offset}; the one before it ends at ${at}`, details);
    if (start + at + place.sizeBytes > fileBytes) r.fail("lies beyond the end of the file", details);
    places.set(name, { ...place, offset: start + at });
    at += align(place.sizeBytes);
  }
  return { metadata, places };
};

/**
 * What a file of `fileBytes` says of itself, from its first `bytes`; undefined where they are too few. Throws
 * FormatError naming file, place and key or tensor.
 */
export const parseGguf = (
  bytes: Uint8Array,
  file: string,
  fileBytes: number = bytes.length,
): GgufHeader | undefined => {
  try {
    return headerOf(readerOf(bytes, file, fileBytes), fileBytes);
  } catch (error) {
    if (error instanceof More) return undefined;
    throw error;
  }
};

/** All metadata and tensors of a file. Throws FormatError naming file, place and key or tensor. */
export const decodeGguf = (bytes: Uint8Array, file: string): DecodedGguf => {
  const { metadata, places } = parseGguf(bytes, file)!;
  const tensors = Array.from(places, ([name, { shape, type, offset, sizeBytes }]) => {
    const entry = { shape, type, bytes: bytes.subarray(offset, offset + sizeBytes) };
    return [name, entry] as const;
  });
  return { metadata, tensors: new Map(tensors) };
};
