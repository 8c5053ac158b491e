/**
 * Reads a SentencePiece model (spiece.model, tokenizer.model): a protobuf of pieces with scores and the
 * settings of its normalizer.
 * https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto
 */
import { FormatError } from "../../util/errors.ts";

/** The kind of a piece, as its protobuf numbers them. */
export type PieceType = "normal" | "unknown" | "control" | "user" | "unused" | "byte";

/** One piece; the score is a log-probability (unigram), or falls with the order of the merges (bpe). */
export interface SentencePiece {
  readonly piece: string;
  readonly score: number;
  readonly type: PieceType;
}

/** What a SentencePiece file says. */
export interface SentencePieceModel {
  readonly kind: "unigram" | "bpe";
  readonly pieces: readonly SentencePiece[];
  readonly byteFallback: boolean;
  /** The compiled character map of the normalizer; empty where it changes nothing. */
  readonly charsmap: Uint8Array;
  readonly addDummyPrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
  readonly escapeWhitespaces: boolean;
}

interface Field {
  readonly number: number;
  /** A varint, or the bits of four bytes. */
  readonly value: number;
  /** Content of a length-delimited field; empty for others. */
  readonly bytes: Uint8Array;
}

const TYPES: readonly PieceType[] = ["normal", "unknown", "control", "user", "unused", "byte"];

const torn = (file: string, offset: number, what: string): never => {
  throw new FormatError(what, { file, offset, hint: "a SentencePiece model is expected; download it again" });
};

/** A varint at `at`: its low 32 bits and the place after it. */
const varint = (bytes: Uint8Array, at: number, file: string): [value: number, next: number] => {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i] ?? torn(file, at + i, "ends inside of a number");
    if (i < 5) value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return [value, at + i + 1];
  }
  return torn(file, at, "has a number of more than 10 bytes");
};

const fieldsOf = (bytes: Uint8Array, file: string): Field[] => {
  const fields: Field[] = [];
  const none = new Uint8Array(0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const [key, start] = varint(bytes, at, file);
    const [number, wire] = [Math.floor(key / 8), key % 8];
    const fixed = wire === 5 ? 4 : wire === 1 ? 8 : 0;
    const [value, next] = fixed > 0 ? [0, start] : varint(bytes, start, file);
    const end = wire === 0 ? next : fixed > 0 ? start + fixed : next + value;
    if (number === 0 || (wire !== 0 && wire !== 2 && fixed === 0))
      return torn(file, at, `has a field ${number} of wire type ${wire}`);
    if (end > bytes.length) return torn(file, at, `has a field ${number} that ends beyond the file's end`);
    const content = wire === 2 ? bytes.subarray(next, end) : none;
    fields.push({ number, value: wire === 5 ? view.getFloat32(start, true) : value, bytes: content });
    at = end;
  }
  return fields;
};

const last = (fields: readonly Field[], number: number): Field | undefined =>
  fields.findLast((field) => field.number === number);

const pieceOf = (bytes: Uint8Array, id: number, file: string): SentencePiece => {
  const fields = fieldsOf(bytes, file);
  const piece = new TextDecoder("utf-8", { ignoreBOM: true }).decode(last(fields, 1)?.bytes);
  const score = last(fields, 2)?.value ?? 0;
  const type = TYPES[(last(fields, 3)?.value ?? 1) - 1];
  if (type === undefined || !Number.isFinite(score) || piece === "")
    throw new FormatError(`piece ${id} (${JSON.stringify(piece)}) is malformed`, { file });
  return { piece, score, type };
};

const isOn = (fields: readonly Field[], number: number, otherwise: boolean): boolean =>
  (last(fields, number)?.value ?? Number(otherwise)) !== 0;

/** Parses a SentencePiece model of `file`. Throws FormatError where it is torn or of another kind. */
export const readSentencePiece = (bytes: Uint8Array, file: string): SentencePieceModel => {
  const fields = fieldsOf(bytes, file);
  const part = (number: number): Field[] => fieldsOf(last(fields, number)?.bytes ?? new Uint8Array(0), file);
  const pieces = fields
    .filter((field) => field.number === 1)
    .map((field, id) => pieceOf(field.bytes, id, file));
  if (pieces.length === 0) throw new FormatError("has no pieces: it is no SentencePiece model", { file });
  const seen = new Set<string>();
  for (const { piece } of pieces) {
    if (seen.has(piece)) throw new FormatError(`has the piece ${JSON.stringify(piece)} twice`, { file });
    seen.add(piece);
  }
  if (!pieces.some(({ type }) => type === "unknown")) throw new FormatError("has no unknown piece", { file });
  const [trainer, normalizer] = [part(2), part(3)];
  const kind = last(trainer, 3)?.value ?? 1;
  if (kind !== 1 && kind !== 2)
    throw new FormatError(`has a model of type ${kind}; unigram (1) and BPE (2) can be read`, { file });
  return {
    kind: kind === 1 ? "unigram" : "bpe",
    pieces,
    byteFallback: isOn(trainer, 35, false),
    charsmap: last(normalizer, 2)?.bytes ?? new Uint8Array(0),
    addDummyPrefix: isOn(normalizer, 3, true),
    removeExtraWhitespaces: isOn(normalizer, 4, true),
    escapeWhitespaces: isOn(normalizer, 5, true),
  };
};
