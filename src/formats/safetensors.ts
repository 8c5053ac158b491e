/**
 * safetensors (https://github.com/huggingface/safetensors): an eight-byte header length, a JSON header, the tensors' bytes
 * without holes. Written as the reference writer does; read with every rule of the format checked before anything is made.
 */
import { byteLength, bytesOf, bytesPerElement, type DType, type Tensor, tensorFromBytes } from "../ir/tensor.ts";
import { FormatError } from "../util/errors.ts";

const names: Readonly<Record<DType, string>> = {
  float64: "F64", float32: "F32", float16: "F16", bfloat16: "BF16", int64: "I64", uint64: "U64", int32: "I32",
  uint32: "U32", int16: "I16", uint16: "U16", int8: "I8", uint8: "U8", bool: "BOOL",
};
const dtypes = new Map(Object.entries(names).map(([dtype, name]) => [name, dtype as DType]));

/** Longest header that the format allows, bytes. */
const MAX_HEADER = 100_000_000;

/** The file as chunks: tensors by falling element size, then by name, as the reference writer orders them. */
export const encodeSafetensors = (
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): readonly Uint8Array[] => {
  const order = [...tensors].sort(
    ([a, x], [b, y]) => bytesPerElement(y.dtype) - bytesPerElement(x.dtype) || (a < b ? -1 : 1),
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
  const length = new Uint8Array(BigUint64Array.of(BigInt(padded.length)).buffer);
  return [length, padded, ...order.map(([, t]) => bytesOf(t))];
};

interface Entry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Where the tensors' bytes begin. */
  readonly dataOffset: number;
}

type Fail = (message: string, details?: { tensor?: string; offset?: number }) => never;

/**
 * The top-level keys of a JSON object, read from its text: JSON.parse keeps the last of equal keys in silence. The text is
 * known to be valid JSON.
 */
const topLevelKeys = (text: string): string[] => {
  const keys: string[] = [];
  let depth = 0;
  let last = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"') {
      const start = i++;
      while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
      last = text.slice(start, i + 1);
    } else if (c === "{" || c === "[") depth++;
    else if (c === "}" || c === "]") depth--;
    else if (c === ":" && depth === 1) keys.push(JSON.parse(last));
  }
  return keys;
};

const isCount = (x: unknown): x is number => typeof x === "number" && Number.isSafeInteger(x) && x >= 0;

const entryOf = (name: string, value: unknown, dataLength: number, fail: Fail): Entry => {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const type = dtypes.get(String(dtype));
  if (type === undefined) return fail(`has the dtype ${JSON.stringify(dtype)}, which is not known`, { tensor: name });
  if (!Array.isArray(shape) || !shape.every(isCount)) return fail("has no valid shape", { tensor: name });
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    return fail("has no valid data_offsets", { tensor: name });
  }
  const [start, end] = offsets as [number, number];
  const size = shape.reduce((n: number, d: number) => n * d, bytesPerElement(type));
  if (!Number.isSafeInteger(size)) return fail(`has an impossible shape [${shape.join(", ")}]`, { tensor: name });
  if (end < start || end > dataLength) {
    return fail(`lies at ${start}..${end}, outside the ${dataLength} bytes of data`, { tensor: name, offset: start });
  }
  if (end - start !== size) {
    return fail(`takes ${end - start} bytes where [${shape.join(", ")}] of ${dtype} takes ${size}`, { tensor: name, offset: start });
  }
  return { dtype: type, shape, start, end };
};

const metadataOf = (value: unknown, fail: Fail): Map<string, string> => {
  if (value === undefined) return new Map();
  if (typeof value !== "object" || value === null || Array.isArray(value)) return fail("__metadata__ is no object");
  const list = Object.entries(value);
  const bad = list.find(([, v]) => typeof v !== "string");
  if (bad !== undefined) return fail(`the metadata "${bad[0]}" is not a string`);
  return new Map(list as [string, string][]);
};

const headerText = (bytes: Uint8Array, length: number, fail: Fail): string => {
  if (bytes[8] !== 0x7b) return fail("the header does not begin with {", { offset: 8 });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length));
  } catch {
    return fail("the header is not UTF-8", { offset: 8 });
  }
};

/** Reads and checks the header of a whole file. Throws FormatError naming file, tensor and offset. */
export const parseHeader = (bytes: Uint8Array, file: string): SafetensorsHeader => {
  const fail: Fail = (message, details = {}) => {
    throw new FormatError(message, { file, ...details });
  };
  if (bytes.length < 8) fail(`is ${bytes.length} bytes long; a safetensors file has at least 8`, { offset: 0 });
  const declared = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (declared > BigInt(MAX_HEADER)) fail(`declares a header of ${declared} bytes; ${MAX_HEADER} are allowed`, { offset: 0 });
  const length = Number(declared);
  if (8 + length > bytes.length) fail(`declares a header of ${length} bytes and has ${bytes.length - 8}`, { offset: 0 });
  const text = headerText(bytes, length, fail);
  let json: Record<string, unknown> = {};
  try {
    json = JSON.parse(text, (key, value) => (key === "__proto__" ? Object(value) : value));
  } catch (error) {
    fail(`the header is not JSON (${(error as Error).message})`, { offset: 8 });
  }
  const keys = topLevelKeys(text);
  const once = new Set<string>();
  const twice = keys.find((key) => once.size === once.add(key).size);
  if (twice !== undefined) fail("stands twice in the header", { tensor: twice });
  const dataOffset = 8 + length;
  const own = (key: string): unknown => Object.getOwnPropertyDescriptor(json, key)?.value;
  const tensorNames = keys.filter((key) => key !== "__metadata__");
  const found = tensorNames.map((key) => [key, entryOf(key, own(key), bytes.length - dataOffset, fail)] as const);
  contiguous(found, bytes.length - dataOffset, fail);
  return { entries: new Map(found), metadata: metadataOf(own("__metadata__"), fail), dataOffset };
};

const contiguous = (found: readonly (readonly [string, Entry])[], dataLength: number, fail: Fail): void => {
  let at = 0;
  for (const [name, { start, end }] of found.toSorted(([, a], [, b]) => a.start - b.start || a.end - b.end)) {
    if (start > at) fail(`leaves a hole of ${start - at} bytes before it`, { tensor: name, offset: at });
    if (start < at) fail("overlaps the tensor before it", { tensor: name, offset: start });
    at = end;
  }
  if (at !== dataLength) fail(`has ${dataLength - at} bytes after the last tensor`, { offset: at });
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
