/**
 * The protobuf wire format (https://protobuf.dev/programming-guides/encoding/), no more of it than ONNX needs. A message
 * under construction is a list of byte pieces with its size, so that a weight of gigabytes is copied once,
 * into the file.
 */
import { FormatError } from "../../util/errors.ts";

/** Encoded fields: `pieces` in order, `size` bytes in all. */
export interface Encoded {
  readonly size: number;
  readonly pieces: readonly Uint8Array[];
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const pushVarint = (out: number[], value: number): void => {
  if (value >= 0 && value < 128) {
    out.push(value);
    return;
  }
  let v = BigInt.asUintN(64, BigInt(value));
  for (; v > 127n; v >>= 7n) out.push(Number(v & 127n) | 128);
  out.push(Number(v));
};

const encoded = (...pieces: readonly Uint8Array[]): Encoded => ({
  size: pieces.reduce((sum, piece) => sum + piece.length, 0),
  pieces,
});

const header = (field: number, wire: number, value?: number): Uint8Array => {
  const out: number[] = [];
  pushVarint(out, field * 8 + wire);
  if (value !== undefined) pushVarint(out, value);
  return Uint8Array.from(out);
};

/** Fields one after the other. */
export const concat = (parts: readonly Encoded[]): Encoded => ({
  size: parts.reduce((sum, part) => sum + part.size, 0),
  pieces: parts.flatMap((part) => part.pieces),
});

/** An int64 or enum field. Throws FormatError where `value` is no integer that a double holds exactly. */
export const intField = (field: number, value: number): Encoded => {
  if (!Number.isSafeInteger(value)) throw new FormatError(`${value} is not an integer within 2^53`);
  return encoded(header(field, VARINT, value));
};

/** A float field. */
export const floatField = (field: number, value: number): Encoded =>
  encoded(header(field, FIXED32), new Uint8Array(Float32Array.of(value).buffer));

/** A bytes field over `value` itself, not a copy. */
export const bytesField = (field: number, value: Uint8Array): Encoded =>
  encoded(header(field, BYTES, value.length), value);

/** A string field. Throws FormatError on a lone surrogate, which UTF-8 cannot say. */
export const textField = (field: number, value: string): Encoded => {
  if (/\p{Surrogate}/u.test(value))
    throw new FormatError(`${JSON.stringify(value)} is not well-formed Unicode`);
  return bytesField(field, utf8.encode(value));
};

/** A field that holds the message of `parts`. */
export const messageField = (field: number, parts: readonly Encoded[]): Encoded => {
  const { size, pieces } = concat(parts);
  const head = header(field, BYTES, size);
  return { size: head.length + size, pieces: [head, ...pieces] };
};

/** The message as one array; the only copy that is made of its pieces. */
export const toBytes = ({ size, pieces }: Encoded): Uint8Array => {
  const out = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
};

/** The bytes `start` to `end` (exclusive) of a file. */
export interface Span {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly file?: string | undefined;
}

/** A field as read: the bits of a number, or the span of a string, bytes, a message or packed numbers. */
export interface Field {
  readonly number: number;
  readonly wire: number;
  /** The bits of a varint, fixed64 or fixed32. */
  readonly bits: bigint;
  /** The payload. */
  readonly span: Span;
}

/** Throws FormatError at byte `offset` of the span's file. */
export const failAt = ({ file }: Span, offset: number, message: string): never => {
  throw new FormatError(message, file === undefined ? { offset } : { file, offset });
};

const readVarint = (span: Span, start: number): [bits: bigint, next: number] => {
  let bits = 0n;
  for (let i = 0; i < 10; i++) {
    if (start + i >= span.end) failAt(span, start, "is truncated within a varint");
    const byte = span.bytes[start + i]!;
    if (i === 9 && byte > 1) break;
    bits |= BigInt(byte & 127) << BigInt(7 * i);
    if (byte < 128) return [bits, start + i + 1];
  }
  return failAt(span, start, "holds a varint of more than 64 bits");
};

const readFixed = (span: Span, start: number, width: 4 | 8): bigint => {
  if (start + width > span.end) failAt(span, start, `is truncated within a number of ${width} bytes`);
  const view = new DataView(span.bytes.buffer, span.bytes.byteOffset + start, width);
  return width === 4 ? BigInt(view.getUint32(0, true)) : view.getBigUint64(0, true);
};

const readField = (span: Span, start: number): Field => {
  const [tag, at] = readVarint(span, start);
  const number = Number(tag >> 3n);
  const wire = Number(tag & 7n);
  if (number < 1 || number >= 2 ** 29) failAt(span, start, `holds the impossible field number ${number}`);
  const field = (bits: bigint, from: number, end: number): Field => ({
    number,
    wire,
    bits,
    span: { ...span, start: from, end },
  });
  if (wire === VARINT) {
    const [bits, end] = readVarint(span, at);
    return field(bits, at, end);
  }
  if (wire === FIXED32) return field(readFixed(span, at, 4), at, at + 4);
  if (wire === FIXED64) return field(readFixed(span, at, 8), at, at + 8);
  if (wire !== BYTES) failAt(span, start, `holds the unknown wire type ${wire} (field ${number})`);
  const [length, from] = readVarint(span, at);
  if (length > BigInt(span.end - from)) {
    failAt(
      span,
      at,
      `is truncated: field ${number} declares ${length} bytes and ${span.end - from} are left`,
    );
  }
  return field(0n, from, from + Number(length));
};

/** The fields of the message in `span`, in file order. Throws FormatError with the byte offset. */
export function* fieldsOf(span: Span): Generator<Field> {
  for (let at = span.start; at < span.end; ) {
    const field = readField(span, at);
    yield field;
    at = field.span.end;
  }
}

const expectWire = (field: Field, wire: number): void => {
  if (field.wire === wire) return;
  failAt(field.span, field.span.start, `field ${field.number} has wire type ${field.wire}, not ${wire}`);
};

/** The message inside a field. */
export const spanOf = (field: Field): Span => {
  expectWire(field, BYTES);
  return field.span;
};

/** The bytes inside a field, as a view of the file. */
export const viewOf = (field: Field): Uint8Array => {
  const { bytes, start, end } = spanOf(field);
  return bytes.subarray(start, end);
};

/** A string field. Throws FormatError where it is not UTF-8. */
export const textOf = (field: Field): string => {
  const bytes = viewOf(field);
  try {
    return fromUtf8.decode(bytes);
  } catch {
    return failAt(field.span, field.span.start, `field ${field.number} is not UTF-8`);
  }
};

/** `value`, found in `field`, as a number. Throws FormatError beyond 2^53. */
export const safeInt = (field: Field, value: bigint): number => {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  return failAt(field.span, field.span.start, `field ${field.number} holds ${value}, beyond 2^53`);
};

/** An int64 or enum field as a number. Throws FormatError beyond 2^53. */
export const intOf = (field: Field): number => {
  expectWire(field, VARINT);
  return safeInt(field, BigInt.asIntN(64, field.bits));
};

/** The 64-bit patterns of one part of a repeated integer field, packed or not. */
export const varintsOf = (field: Field): bigint[] => {
  if (field.wire === VARINT) return [field.bits];
  const span = spanOf(field);
  const out: bigint[] = [];
  for (let at = span.start; at < span.end; ) {
    const [bits, next] = readVarint(span, at);
    out.push(bits);
    at = next;
  }
  return out;
};

/** The numbers of one part of a float (`width` 4) or double (8) field, packed or not. */
export const floatsOf = (field: Field, width: 4 | 8): number[] => {
  if (field.wire !== (width === 4 ? FIXED32 : FIXED64)) expectWire(field, BYTES);
  const { bytes, start, end } = field.span;
  if ((end - start) % width !== 0) failAt(field.span, start, `field ${field.number} ends within a number`);
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
  return Array.from({ length: (end - start) / width }, (_, i) =>
    width === 4 ? view.getFloat32(i * 4, true) : view.getFloat64(i * 8, true),
  );
};
