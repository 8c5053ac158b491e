/**
 * GGUF version 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), little-endian: typed metadata,
 * the tensors' names and places, their bytes. Shapes are row-major here and everywhere else; the file lists
 * them the other way round. Tensors are packed as they are written, so that a file needs no second copy.
 */
import { FormatError } from "../../util/errors.ts";
import { type GgmlType, ggmlTypes } from "./ggml.ts";

/** The numbers of the metadata's types. */
export const ggufTypes = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  array: 9,
  uint64: 10,
  int64: 11,
  float64: 12,
} as const;

/** A metadata type that holds one value. */
export type GgufScalarType = Exclude<keyof typeof ggufTypes, "array">;
/** One value of metadata; 64-bit integers are bigint. */
export type GgufScalar = number | bigint | boolean | string;

/** A value of metadata with its type. */
export type GgufValue =
  | { readonly type: GgufScalarType; readonly value: GgufScalar }
  | { readonly type: "array"; readonly of: GgufScalarType; readonly value: ArrayLike<GgufScalar> };

/** A tensor to be written, with the type that it is stored in. */
export interface GgufTensor {
  readonly name: string;
  /** Row-major: the last dimension is contiguous. */
  readonly shape: readonly number[];
  readonly type: GgmlType;
  /** The numbers, asked for when the tensor is written. */
  values(): Float32Array;
  /** What an error of each number of a row counts, >= 0; all alike without. */
  readonly importance?: ArrayLike<number>;
}

/** What a file is made of. */
export interface GgufFile {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
}

/** The first four bytes of a file, as text. */
export const GGUF_MAGIC = "GGUF";
/** The version that is written. */
export const GGUF_VERSION = 3;
/** Where no general.alignment is given, bytes. */
export const GGUF_ALIGNMENT = 32;
/** Longest name of a tensor that ggml takes, bytes. */
const MAX_NAME = 63;
/** Most dimensions of a tensor. */
export const MAX_DIMENSIONS = 4;
const MAX_KEY = 65535;
const KEY = /^[a-z0-9_]+(\.[a-z0-9_]+)*$/;
/** Numbers packed in one go, about: whole rows. */
const PIECE = 1 << 20;

const text = new TextEncoder();

/** Bytes that grow. */
const byteWriter = () => {
  let bytes = new Uint8Array(1 << 12);
  let view = new DataView(bytes.buffer);
  let length = 0;
  const room = (count: number): number => {
    const at = length;
    length += count;
    if (length > bytes.length) {
      const wider = new Uint8Array(Math.max(length, 2 * bytes.length));
      wider.set(bytes);
      bytes = wider;
      view = new DataView(bytes.buffer);
    }
    return at;
  };
  // Room first: it may change the view.
  const write = (width: number, into: (view: DataView, at: number) => void): void => {
    const at = room(width);
    into(view, at);
  };
  const put = {
    uint8: (x: number) => write(1, (v, at) => v.setUint8(at, x)),
    int8: (x: number) => write(1, (v, at) => v.setInt8(at, x)),
    uint16: (x: number) => write(2, (v, at) => v.setUint16(at, x, true)),
    int16: (x: number) => write(2, (v, at) => v.setInt16(at, x, true)),
    uint32: (x: number) => write(4, (v, at) => v.setUint32(at, x, true)),
    int32: (x: number) => write(4, (v, at) => v.setInt32(at, x, true)),
    float32: (x: number) => write(4, (v, at) => v.setFloat32(at, x, true)),
    float64: (x: number) => write(8, (v, at) => v.setFloat64(at, x, true)),
    bool: (x: boolean) => write(1, (v, at) => v.setUint8(at, x ? 1 : 0)),
    uint64: (x: number | bigint) => write(8, (v, at) => v.setBigUint64(at, BigInt(x), true)),
    int64: (x: number | bigint) => write(8, (v, at) => v.setBigInt64(at, BigInt(x), true)),
    string: (x: string) => {
      const encoded = text.encode(x);
      put.uint64(encoded.length);
      const at = room(encoded.length);
      bytes.set(encoded, at);
    },
  };
  const pad = (alignment: number) => room((alignment - (length % alignment)) % alignment);
  return { put, pad, take: (): Uint8Array => bytes.subarray(0, length) };
};

type Writer = ReturnType<typeof byteWriter>;

const ranges: Readonly<Partial<Record<GgufScalarType, readonly [number, number]>>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
  uint32: [0, 2 ** 32 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint64: [0, 2 ** 64],
  int64: [-(2 ** 63), 2 ** 63],
};

const fits = (type: GgufScalarType, value: GgufScalar): boolean => {
  if (type === "string") return typeof value === "string";
  if (type === "bool") return typeof value === "boolean";
  if (typeof value !== "number" && typeof value !== "bigint") return false;
  const range = ranges[type];
  if (range === undefined) return typeof value === "number";
  return value >= range[0] && value <= range[1] && (typeof value === "bigint" || Number.isInteger(value));
};

const putScalar = ({ put }: Writer, key: string, type: GgufScalarType, value: GgufScalar): void => {
  if (!fits(type, value)) throw new FormatError(`the value ${String(value)} is no ${type}`, { field: key });
  put[type](value as never);
};

const putMetadata = (writer: Writer, key: string, value: GgufValue): void => {
  if (!KEY.test(key) || key.length > MAX_KEY) {
    throw new FormatError("is no key: lower-case words joined by dots are", { field: key });
  }
  writer.put.string(key);
  writer.put.uint32(ggufTypes[value.type]);
  if (value.type !== "array") {
    putScalar(writer, key, value.type, value.value);
    return;
  }
  writer.put.uint32(ggufTypes[value.of]);
  writer.put.uint64(value.value.length);
  for (let i = 0; i < value.value.length; i++) putScalar(writer, key, value.of, value.value[i]!);
};

/** Bytes of a tensor's data without padding. Throws FormatError where its rows are not whole blocks. */
export const ggmlBytes = (name: string, shape: readonly number[], type: GgmlType): number => {
  const { block, blockBytes } = ggmlTypes[type];
  const row = shape.at(-1) ?? 1;
  if (row % block !== 0) {
    throw new FormatError(`rows of ${row} are not whole blocks of ${block}`, { tensor: name });
  }
  return (shape.reduce((a, d) => a * d, 1) / block) * blockBytes;
};

const aligned = (size: number): number => Math.ceil(size / GGUF_ALIGNMENT) * GGUF_ALIGNMENT;

const headerOf = ({ metadata, tensors }: GgufFile): { header: Uint8Array; dataBytes: number } => {
  const writer = byteWriter();
  const { put } = writer;
  for (const char of GGUF_MAGIC) put.uint8(char.charCodeAt(0));
  put.uint32(GGUF_VERSION);
  put.uint64(tensors.length);
  put.uint64(metadata.size);
  for (const [key, value] of metadata) putMetadata(writer, key, value);
  const names = new Set<string>();
  let offset = 0;
  for (const { name, shape, type } of tensors) {
    const fail = (message: string): never => {
      throw new FormatError(message, { tensor: name });
    };
    if (names.has(name)) fail("stands twice in the file");
    if (text.encode(name).length > MAX_NAME) fail(`has a name of more than ${MAX_NAME} bytes`);
    if (shape.length > MAX_DIMENSIONS) fail(`has more than ${MAX_DIMENSIONS} dimensions`);
    names.add(name);
    put.string(name);
    put.uint32(shape.length);
    for (const d of shape.toReversed()) put.uint64(d);
    put.uint32(ggmlTypes[type].id);
    put.uint64(offset);
    offset += aligned(ggmlBytes(name, shape, type));
  }
  writer.pad(GGUF_ALIGNMENT);
  return { header: writer.take(), dataBytes: offset };
};

function* tensorChunks({ name, shape, type, values, importance }: GgufTensor): Generator<Uint8Array> {
  const numbers = values();
  if (numbers.length !== shape.reduce((a, d) => a * d, 1)) {
    throw new FormatError(`${numbers.length} numbers do not fill [${shape.join(", ")}]`, { tensor: name });
  }
  const row = shape.at(-1) ?? 1;
  if (importance !== undefined && importance.length !== row)
    throw new FormatError(`${importance.length} numbers tell no row of ${row} apart`, { tensor: name });
  const piece = Math.max(1, Math.floor(PIECE / row)) * row;
  for (let at = 0; at < numbers.length; at += piece) {
    yield ggmlTypes[type].pack(numbers.subarray(at, at + piece), importance);
  }
  const size = ggmlBytes(name, shape, type);
  if (aligned(size) > size) yield new Uint8Array(aligned(size) - size);
}

/** A file's size and bytes. */
export interface EncodedGguf {
  readonly sizeBytes: number;
  /** The file's bytes in order, packed as they are taken; can be walked more than once. */
  readonly chunks: Iterable<Uint8Array>;
}

/** A GGUF file. Throws FormatError, before any data is packed, for what the format does not allow. */
export const encodeGguf = (file: GgufFile): EncodedGguf => {
  const { header, dataBytes } = headerOf(file);
  return {
    sizeBytes: header.length + dataBytes,
    chunks: {
      *[Symbol.iterator]() {
        yield header;
        for (const tensor of file.tensors) yield* tensorChunks(tensor);
      },
    },
  };
};
