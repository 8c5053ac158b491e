/**
 * The protobuf wire format (https://protobuf.dev/programming-guides/encoding/) over plain schemas. Messages are objects
 * keyed by field name. Encoding measures first, then writes once into a buffer of the exact size; the bytes of equal
 * messages are equal. Decoding is stricter than the format: a singular field that stands twice is refused, not merged.
 */
import { FormatError } from "../util/errors.ts";

/** "refused": a field that changes the meaning of its message and that anneal does not read. */
export type FieldType = "int" | "float" | "string" | "bytes" | "refused" | Schema;

export interface Field {
  readonly id: number;
  readonly type: FieldType;
  readonly repeated: boolean;
}

type Fields = Readonly<Record<string, Field>>;

export interface Schema<F extends Fields = Fields> {
  readonly fields: F;
  readonly byId: ReadonlyMap<number, readonly [name: string, field: Field]>;
}

type ValueOf<T> = T extends "int" | "float"
  ? number
  : T extends "string"
    ? string
    : T extends "bytes"
      ? Uint8Array
      : T extends Schema<infer F>
        ? Message<F>
        : never;

/** The object of a schema's fields; absent fields are undefined. */
export type Message<F extends Fields> = {
  readonly [K in keyof F]?: F[K] extends { readonly repeated: true; readonly type: infer T }
    ? readonly ValueOf<T>[] | undefined
    : ValueOf<F[K]["type"]> | undefined;
};

/** A field that stands at most once. */
export const one = <const T extends FieldType>(id: number, type: T) => ({ id, type, repeated: false }) as const;

/** A repeated field; numbers are written unpacked, as proto2 does. */
export const many = <const T extends FieldType>(id: number, type: T) => ({ id, type, repeated: true }) as const;

/** A message's schema. Fields are written in the order given here. */
export const message = <const F extends Fields>(fields: F): Schema<F> => ({
  fields,
  byId: new Map(Object.entries(fields).map(([name, field]) => [field.id, [name, field]])),
});

type Plain = Readonly<Record<string, unknown>>;

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

const wireOf = (type: FieldType): number => (type === "int" ? VARINT : type === "float" ? FIXED32 : LENGTH);

const varintSize = (n: number): number => {
  if (n < 0) return 10;
  let size = 1;
  for (let rest = n; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
};

const utf8Size = (text: string): number => {
  let size = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i)!;
    if (code >= 0xd800 && code <= 0xdfff) throw new FormatError(`${JSON.stringify(text)} is not valid Unicode`);
    if (code > 0xffff) i++;
    size += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return size;
};

const checkedInt = (name: string, n: number): number => {
  if (Number.isSafeInteger(n)) return n;
  throw new FormatError(`${n} is not an integer that fits`, { field: name });
};

/** Lengths of all strings and messages inside a message, in the order in which writing meets them. */
type Lengths = number[];

const valueSize = (name: string, type: FieldType, value: unknown, lengths: Lengths): number => {
  if (type === "int") return varintSize(checkedInt(name, value as number));
  if (type === "float") return 4;
  if (type === "refused") throw new FormatError("is a field that is never written", { field: name });
  const index = lengths.push(0) - 1;
  const size =
    type === "string"
      ? utf8Size(value as string)
      : type === "bytes"
        ? (value as Uint8Array).byteLength
        : messageSize(type, value as Plain, lengths);
  lengths[index] = size;
  return varintSize(size) + size;
};

const messageSize = (schema: Schema, plain: Plain, lengths: Lengths): number => {
  let size = 0;
  for (const [name, { id, type, repeated }] of Object.entries(schema.fields)) {
    const value = plain[name];
    if (value === undefined) continue;
    for (const item of repeated ? (value as unknown[]) : [value]) {
      size += varintSize(id * 8) + valueSize(name, type, item, lengths);
    }
  }
  return size;
};

const text = new TextEncoder();

interface Writer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly lengths: Lengths;
  next: number;
  at: number;
}

const writeVarint = (w: Writer, n: number): void => {
  let low = n >>> 0;
  let high = Math.floor(n / 2 ** 32) >>> 0;
  while (high > 0 || low > 127) {
    w.bytes[w.at++] = (low & 127) | 128;
    low = ((low >>> 7) | (high << 25)) >>> 0;
    high >>>= 7;
  }
  w.bytes[w.at++] = low;
};

const writeValue = (w: Writer, type: FieldType, value: unknown): void => {
  if (type === "int") return writeVarint(w, value as number);
  if (type === "float") {
    w.view.setFloat32(w.at, value as number, true);
    w.at += 4;
    return;
  }
  const size = w.lengths[w.next++]!;
  writeVarint(w, size);
  if (type === "string") text.encodeInto(value as string, w.bytes.subarray(w.at, w.at + size));
  else if (type === "bytes") w.bytes.set(value as Uint8Array, w.at);
  else return writeMessage(w, type as Schema, value as Plain);
  w.at += size;
};

const writeMessage = (w: Writer, schema: Schema, plain: Plain): void => {
  for (const [name, { id, type, repeated }] of Object.entries(schema.fields)) {
    const value = plain[name];
    if (value === undefined) continue;
    for (const item of repeated ? (value as unknown[]) : [value]) {
      writeVarint(w, id * 8 + wireOf(type));
      writeValue(w, type, item);
    }
  }
};

/**
 * The bytes of a message. Byte fields are copied once, into the result. Throws FormatError where the result would exceed
 * `maxBytes` (checked before anything is allocated) and for integers and strings that have no encoding.
 */
export const encodeMessage = <F extends Fields>(
  schema: Schema<F>,
  value: Message<F>,
  maxBytes: number = 2 ** 31 - 1,
): Uint8Array => {
  const lengths: Lengths = [];
  const size = messageSize(schema, value as Plain, lengths);
  if (size > maxBytes) throw new FormatError(`the message takes ${size} bytes; ${maxBytes} are possible`);
  const bytes = new Uint8Array(size);
  writeMessage({ bytes, view: new DataView(bytes.buffer), lengths, next: 0, at: 0 }, schema, value as Plain);
  return bytes;
};

interface Reader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly file: string;
  at: number;
}

const fail = (r: Reader, problem: string, field?: string): never => {
  throw new FormatError(problem, { file: r.file, offset: r.at, ...(field === undefined ? {} : { field }) });
};

const readVarint = (r: Reader, end: number): number => {
  let low = 0;
  let high = 0;
  for (let i = 0; i < 10; i++) {
    if (r.at >= end) return fail(r, "is cut off inside a number");
    const byte = r.bytes[r.at++]!;
    const shift = i * 7;
    if (shift < 32) low |= (byte & 127) << shift;
    if (shift === 28) high |= (byte & 127) >>> 4;
    else if (shift > 28) high |= (byte & 127) << (shift - 32);
    if (byte > 127) continue;
    const n = (high | 0) * 2 ** 32 + (low >>> 0);
    return Number.isSafeInteger(n) ? n : fail(r, "holds an integer beyond 53 bits");
  }
  return fail(r, "holds a number of more than ten bytes");
};

/** Moves past `size` bytes and returns where they begin. */
const take = (r: Reader, size: number, end: number): number => {
  if (size < 0 || size > end - r.at) fail(r, `is cut off: ${size} bytes are declared, ${end - r.at} are there`);
  const start = r.at;
  r.at += size;
  return start;
};

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const readText = (r: Reader, start: number, name: string): string => {
  try {
    return utf8.decode(r.bytes.subarray(start, r.at));
  } catch {
    return fail(r, "is not UTF-8", name);
  }
};

const readValue = (r: Reader, name: string, type: FieldType, end: number): unknown => {
  if (type === "int") return readVarint(r, end);
  if (type === "float") return r.view.getFloat32(take(r, 4, end), true);
  const start = take(r, readVarint(r, end), end);
  if (type === "bytes") return r.bytes.subarray(start, r.at);
  if (type === "string") return readText(r, start, name);
  const stop = r.at;
  r.at = start;
  return readMessage(r, type as Schema, stop);
};

const skip = (r: Reader, wire: number, end: number): void => {
  if (wire === VARINT) while (r.bytes[take(r, 1, end)]! > 127);
  else if (wire === FIXED64) take(r, 8, end);
  else if (wire === LENGTH) take(r, readVarint(r, end), end);
  else if (wire === FIXED32) take(r, 4, end);
  else fail(r, `has the wire type ${wire}, which is not known`);
};

const readField = (r: Reader, [name, field]: readonly [string, Field], wire: number, end: number): unknown[] => {
  const { type, repeated } = field;
  if (type === "refused") return fail(r, "is not supported", name);
  if (wire === wireOf(type)) return [readValue(r, name, type, end)];
  if (wire !== LENGTH || !repeated) return fail(r, `has the wire type ${wire} where ${wireOf(type)} belongs`, name);
  const values: unknown[] = [];
  const length = readVarint(r, end);
  const stop = take(r, length, end) + length;
  r.at = stop - length;
  while (r.at < stop) values.push(readValue(r, name, type, stop));
  return values;
};

const readMessage = (r: Reader, schema: Schema, end: number): Plain => {
  const plain: Record<string, unknown> = {};
  while (r.at < end) {
    const tag = readVarint(r, end);
    const id = Math.floor(tag / 8);
    if (id < 1 || id >= 2 ** 29) fail(r, `has the field number ${id}`);
    const known = schema.byId.get(id);
    if (known === undefined) {
      skip(r, tag & 7, end);
      continue;
    }
    const [name, { repeated }] = known;
    const values = readField(r, known, tag & 7, end);
    if (repeated) for (const value of values) ((plain[name] ??= []) as unknown[]).push(value);
    else if (name in plain) fail(r, "stands twice", name);
    else plain[name] = values[0];
  }
  return plain;
};

/**
 * The message in `bytes`; byte fields are views of them, unknown fields are passed over. Throws FormatError with file and
 * byte offset for what is cut off, has a wrong wire type, or is not supported.
 */
export const decodeMessage = <F extends Fields>(schema: Schema<F>, bytes: Uint8Array, file: string): Message<F> => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const plainBytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return readMessage({ bytes: plainBytes, view, file, at: 0 }, schema, bytes.byteLength) as Message<F>;
};
