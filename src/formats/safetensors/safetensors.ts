/**
 * safetensors (https://github.com/huggingface/safetensors): an eight-byte header length, a JSON header,
 * the tensors' bytes without holes. Written as the reference writer does; read with every rule of the
 * format checked before anything is made.
 */
import {
  byteLength,
  bytesOf,
  bytesPerElement,
  type DType,
  type Tensor,
  tensorFromBytes,
} from "../../ir/tensor.ts";
import { FormatError } from "../../util/errors.ts";
import { parseText } from "../../util/jsonText.ts";
import { repeatedKey, topLevelKeys } from "./jsonKeys.ts";

/** From the last to be written to the first: the order of the reference writer's own list. */
const names: Readonly<Record<DType, string>> = {
  bool: "BOOL",
  uint8: "U8",
  int8: "I8",
  int16: "I16",
  uint16: "U16",
  float16: "F16",
  bfloat16: "BF16",
  int32: "I32",
  uint32: "U32",
  float32: "F32",
  float64: "F64",
  int64: "I64",
  uint64: "U64",
};
const dtypes = new Map(Object.entries(names).map(([dtype, name]) => [name, dtype as DType]));
const ranks = new Map(Object.keys(names).map((dtype, rank) => [dtype, rank]));

/** Longest header that the format allows, bytes. */
const MAX_HEADER = 100_000_000;

/** By code point: `<` compares UTF-16 units, which puts U+1F600 before U+FFFD. */
const byCodePoint = (a: string, b: string): number => {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  return (a.codePointAt(i) ?? -1) - (b.codePointAt(i) ?? -1);
};

/**
 * The file as chunks, byte for byte as the reference writer's: tensors by falling dtype, then by name.
 * Throws FormatError for a reserved name and for a header that the format does not allow.
 */
export const encodeSafetensors = (
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): readonly Uint8Array[] => {
  const order = [...tensors].sort(
    ([a, x], [b, y]) => ranks.get(y.dtype)! - ranks.get(x.dtype)! || byCodePoint(a, b),
  );
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set("__metadata__", metadata);
  let offset = 0;
  for (const [name, t] of order) {
    if (name === "__metadata__") throw new FormatError("is a reserved name", { tensor: name });
    const end = offset + byteLength(t);
    header.set(name, { dtype: names[t.dtype], shape: t.shape, data_offsets: [offset, end] });
    offset = end;
  }
  const entries = Array.from(header, ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  const json = new TextEncoder().encode(`{${entries.join(",")}}`);
  const padded = new Uint8Array(Math.ceil(json.length / 8) * 8).fill(0x20);
  padded.set(json);
  if (padded.length > MAX_HEADER) {
    throw new FormatError(`a header of ${padded.length} bytes is needed; ${MAX_HEADER} are allowed`, {
      hint: "write the tensors to more than one file",
    });
  }
  const length = new Uint8Array(BigUint64Array.of(BigInt(padded.length)).buffer);
  return [length, padded, ...order.map(([, t]) => bytesOf(t))];
};

/** A tensor of a file; `start` and `end` count from the first tensor's first byte. */
export interface SafetensorsEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

/** A file's header: where each tensor lies, and the metadata. */
export interface SafetensorsHeader {
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Where the tensors' bytes begin. */
  readonly dataOffset: number;
}

/** `offset` counts from the start of the file. */
type Fail = (message: string, details: { tensor?: string; offset: number }) => never;

const isCount = (x: unknown): x is number =>
  Number.isSafeInteger(x) && (x as number) >= 0 && !Object.is(x, -0);

/** Number of elements; undefined where the product, taken from the left, leaves the safe integers. */
const countOf = (shape: readonly number[]): number | undefined => {
  let count = 1;
  for (const d of shape) {
    count *= d;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
};

/** Where in the file a tensor is described and where the data lie. */
interface Place {
  readonly keyOffset: number;
  readonly dataOffset: number;
  readonly dataLength: number;
}

const entryOf = (name: string, value: unknown, place: Place, fail: Fail): SafetensorsEntry => {
  const refuse = (message: string, offset: number): never => fail(message, { tensor: name, offset });
  const { keyOffset, dataOffset, dataLength } = place;
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const type = typeof dtype === "string" ? dtypes.get(dtype) : undefined;
  if (type === undefined)
    return refuse(`has the dtype ${JSON.stringify(dtype)}, which is not known`, keyOffset);
  if (!Array.isArray(shape) || !shape.every(isCount)) return refuse("has no valid shape", keyOffset);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    return refuse("has no valid data_offsets", keyOffset);
  }
  const [start, end] = offsets as [number, number];
  const size = (countOf(shape) ?? Number.NaN) * bytesPerElement(type);
  if (!Number.isSafeInteger(size)) return refuse(`has an impossible shape [${shape.join(", ")}]`, keyOffset);
  if (end < start || end > dataLength) {
    return refuse(`lies at ${start}..${end}, outside the ${dataLength} bytes of data`, dataOffset + start);
  }
  if (end - start !== size) {
    const wanted = `[${shape.join(", ")}] of ${dtype} takes ${size}`;
    return refuse(`takes ${end - start} bytes where ${wanted}`, dataOffset + start);
  }
  return { dtype: type, shape, start, end };
};

const metadataOf = (value: unknown, offset: number, fail: Fail): Map<string, string> => {
  if (value === undefined || value === null) return new Map();
  if (typeof value !== "object" || Array.isArray(value)) {
    return fail("__metadata__ is no object", { offset });
  }
  const list = Object.entries(value);
  const bad = list.find(([, v]) => typeof v !== "string");
  if (bad !== undefined) return fail(`the metadata "${bad[0]}" is not a string`, { offset });
  return new Map(list as [string, string][]);
};

const failer =
  (file: string): Fail =>
  (message, details) => {
    throw new FormatError(message, { file, ...details });
  };

/**
 * Length of the header in bytes, from the file's first eight and its size. Throws FormatError for one that
 * the format or the file has no room for.
 */
export const headerLength = (first: Uint8Array, fileBytes: number, file: string): number => {
  const fail = failer(file);
  if (fileBytes < 8 || first.length < 8)
    fail(`is ${fileBytes} bytes long; a safetensors file has at least 8`, { offset: 0 });
  const declared = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  if (declared > BigInt(MAX_HEADER))
    fail(`declares a header of ${declared} bytes; ${MAX_HEADER} are allowed`, { offset: 0 });
  if (8 + Number(declared) > fileBytes)
    fail(`declares a header of ${declared} bytes and has ${fileBytes - 8}`, { offset: 0 });
  return Number(declared);
};

const headerText = (bytes: Uint8Array, length: number, fail: Fail): string => {
  if (length === 0 || bytes[8] !== 0x7b) return fail("the header does not begin with {", { offset: 8 });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length));
  } catch {
    return fail("the header is not UTF-8", { offset: 8 });
  }
};

const contiguous = (
  found: readonly (readonly [string, SafetensorsEntry])[],
  place: Omit<Place, "keyOffset">,
  fail: Fail,
): void => {
  const { dataOffset, dataLength } = place;
  let at = 0;
  for (const [name, { start, end }] of found.toSorted(([, a], [, b]) => a.start - b.start || a.end - b.end)) {
    const details = { tensor: name, offset: dataOffset + Math.min(at, start) };
    if (start > at) fail(`leaves a hole of ${start - at} bytes before it`, details);
    if (start < at) fail("overlaps the tensor before it", details);
    at = end;
  }
  if (at !== dataLength)
    fail(`has ${dataLength - at} bytes after the last tensor`, { offset: dataOffset + at });
};

/**
 * Reads and checks the header of a file of `fileBytes`, of which `bytes` holds at least the header. Throws
 * FormatError naming file, tensor and offset.
 */
export const parseHeader = (
  bytes: Uint8Array,
  file: string,
  fileBytes: number = bytes.length,
): SafetensorsHeader => {
  const fail = failer(file);
  const length = headerLength(bytes, fileBytes, file);
  const text = headerText(bytes, length, fail);
  let json: Record<string, unknown> = {};
  try {
    json = parseText(text) as Record<string, unknown>;
  } catch (error) {
    fail(`the header is not JSON (${(error as Error).message})`, { offset: 8 });
  }
  const twice = repeatedKey(text);
  if (twice !== undefined)
    fail("stands twice in the header", { tensor: twice.key, offset: 8 + twice.offset });
  const dataOffset = 8 + length;
  const data = { dataOffset, dataLength: fileBytes - dataOffset };
  const found: [string, SafetensorsEntry][] = [];
  let metadata = new Map<string, string>();
  for (const { key, offset } of topLevelKeys(text)) {
    const value = Object.getOwnPropertyDescriptor(json, key)?.value;
    if (key === "__metadata__") metadata = metadataOf(value, 8 + offset, fail);
    else found.push([key, entryOf(key, value, { ...data, keyOffset: 8 + offset }, fail)]);
  }
  contiguous(found, data, fail);
  return { entries: new Map(found), metadata, dataOffset };
};

/** All tensors of a file, as views of `bytes` where the alignment allows. Throws FormatError. */
export const decodeSafetensors = (bytes: Uint8Array, file: string) => {
  const { entries, metadata, dataOffset } = parseHeader(bytes, file);
  const tensors = new Map<string, Tensor>();
  for (const [name, { dtype, shape, start, end }] of entries) {
    tensors.set(name, tensorFromBytes(dtype, shape, bytes.subarray(dataOffset + start, dataOffset + end)));
  }
  return { tensors, metadata };
};
