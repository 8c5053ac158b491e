/**
 * Reads GGUF version 3 with every declared size checked against the bytes that are there, and against limits,
 * before anything is made: counts, lengths and offsets in such files have been used to attack their readers.
 */
import { FormatError } from "../util/errors.ts";
import { type GgmlType, ggmlTypes } from "./ggml.ts";
import {
  GGUF_ALIGNMENT,
  GGUF_MAGIC,
  GGUF_VERSION,
  type GgufScalar,
  type GgufScalarType,
  type GgufValue,
  ggmlBytes,
  ggufTypes,
  MAX_DIMENSIONS,
} from "./gguf.ts";

export interface GgufEntry {
  /** Row-major. */
  readonly shape: readonly number[];
  readonly type: GgmlType;
  /** A view of the file. */
  readonly bytes: Uint8Array;
}

export interface DecodedGguf {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufEntry>;
}

const MAX_KEYS = 100_000;
const MAX_TENSORS = 1_000_000;
const MAX_STRING = 10_000_000;
const MAX_ALIGNMENT = 1 << 20;

const typeNames = new Map(Object.entries(ggufTypes).map(([name, id]) => [id as number, name]));
const formNames = new Map(Object.entries(ggmlTypes).map(([name, { id }]) => [id, name as GgmlType]));

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

const readerOf = (bytes: Uint8Array, file: string) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  let at = 0;
  const fail = (message: string, details: { field?: string; tensor?: string } = {}): never => {
    throw new FormatError(message, { file, offset: at, ...details });
  };
  const take = (count: number): number => {
    if (count > bytes.length - at)
      fail(`ends after ${bytes.length} bytes, within a value of ${count} at this place`);
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
    const length = count("bytes of text", Math.min(MAX_STRING, bytes.length));
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
  return { fail, count, string, uint32, scalars, skip: take, at: () => at, left: () => bytes.length - at };
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
  const length = r.count("elements", Math.floor(r.left() / widths[of]));
  const read = r.scalars[of];
  return { type, of, value: Array.from({ length }, () => read()) };
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

interface Place {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: GgmlType;
  readonly offset: number;
  readonly size: number;
}

const placeOf = (r: Reader, fileBytes: number): Place => {
  const name = r.string();
  const details = { tensor: name };
  const rank = r.uint32();
  if (rank > MAX_DIMENSIONS) r.fail(`has ${rank} dimensions; at most ${MAX_DIMENSIONS} can be`, details);
  const reversed = Array.from({ length: rank }, () => r.count("rows", Number.MAX_SAFE_INTEGER));
  const id = r.uint32();
  const type = formNames.get(id) ?? r.fail(`is of the ggml type ${id}, which is not read`, details);
  const offset = r.count("bytes before a tensor", fileBytes);
  const shape = reversed.reverse();
  const { block } = ggmlTypes[type];
  if ((shape.at(-1) ?? 1) % block !== 0) r.fail(`has rows that are not whole blocks of ${block}`, details);
  const size = ggmlBytes(name, shape, type);
  if (!(size <= fileBytes))
    r.fail(`declares the shape [${shape.join(", ")}], more than the file has`, details);
  return { name, shape, type, offset, size };
};

/** All metadata and tensors of a file. Throws FormatError naming file, place and key or tensor. */
export const decodeGguf = (bytes: Uint8Array, file: string): DecodedGguf => {
  const r = readerOf(bytes, file);
  const magic = Array.from({ length: 4 }, () => String.fromCharCode(r.scalars.uint8() as number)).join("");
  if (magic !== GGUF_MAGIC) r.fail("does not begin with GGUF");
  const version = r.uint32();
  if (version !== GGUF_VERSION) r.fail(`is of version ${version}; ${GGUF_VERSION} is read`);
  const tensorCount = r.count("tensors", Math.min(MAX_TENSORS, bytes.length / 24));
  const keyCount = r.count("keys", Math.min(MAX_KEYS, bytes.length / 13));
  const metadata = metadataOf(r, keyCount);
  const alignment = alignmentOf(r, metadata);
  const places = Array.from({ length: tensorCount }, () => placeOf(r, bytes.length));
  const align = (n: number) => Math.ceil(n / alignment) * alignment;
  const start = align(r.at());
  const tensors = new Map<string, GgufEntry>();
  let at = 0;
  for (const { name, shape, type, offset, size } of places) {
    const details = { tensor: name };
    if (tensors.has(name)) r.fail("stands twice in the file", details);
    if (offset !== at) r.fail(`lies at ${offset}; the one before it ends at ${at}`, details);
    if (start + at + size > bytes.length) r.fail("lies beyond the end of the file", details);
    tensors.set(name, { shape, type, bytes: bytes.subarray(start + at, start + at + size) });
    at += align(size);
  }
  return { metadata, tensors };
};
