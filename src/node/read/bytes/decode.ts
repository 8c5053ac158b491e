/** Bytes of records as text: UTF-8, or what they are said or found to be in. */
import { DataError } from "../../../util/errors.ts";
import { charsetDecoder, meansUtf8, shownCharset } from "./charset.ts";
import { loadCharsetDetector } from "./detectCharset.ts";
import { type ByteOptions, fileBytes } from "./lines.ts";

/** Bytes of the character that starts at `i`, or 0 where it is malformed (Unicode 16, table 3-7). */
const characterLength = (bytes: Uint8Array, i: number): number => {
  const [a, b = 0] = [bytes[i]!, bytes[i + 1]];
  const follows = (n: number): boolean => (bytes[i + n]! & 0xc0) === 0x80;
  if (a < 0x80) return 1;
  if (a < 0xc2) return 0;
  if (a < 0xe0) return follows(1) ? 2 : 0;
  if (a < 0xf0) {
    const fits = (a !== 0xe0 || b >= 0xa0) && (a !== 0xed || b < 0xa0);
    return fits && follows(1) && follows(2) ? 3 : 0;
  }
  const fits = (a !== 0xf0 || b >= 0x90) && (a !== 0xf4 || b < 0x90);
  return a < 0xf5 && fits && follows(1) && follows(2) && follows(3) ? 4 : 0;
};

/** Index of the first byte that is not part of a well-formed UTF-8 character; -1 where all are. */
export const firstMalformed = (bytes: Uint8Array): number => {
  for (let i = 0; i < bytes.length; ) {
    const length = characterLength(bytes, i);
    if (length === 0) return i;
    i += length;
  }
  return -1;
};

/** Where a record is from, for errors. */
export interface Place {
  readonly file: string;
  readonly line?: number;
}

/**
 * `bytes` as text; `offset` is where they stand in the file. Throws DataError with the offset of a malformed
 * byte.
 */
export const decodeUtf8 = (bytes: Uint8Array, place: Place, offset: number): string => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    const wide = offset === 0 && (bytes[0] ?? 0) + (bytes[1] ?? 0) === 0xff + 0xfe;
    const from = wide ? "utf-16" : "latin1";
    throw new DataError("is not UTF-8", {
      ...place,
      offset: offset + Math.max(0, firstMalformed(bytes)),
      hint:
        `say what it is with --encoding NAME (auto finds out), convert it (iconv -f ${from} -t utf-8), ` +
        "or leave such records out with --skip-bad-rows",
      cause,
    });
  }
};

/** Throws DataError for bytes of which one in a hundred or more is zero. */
const refuseZeros = (bytes: Buffer, place: Place, offset: number): void => {
  const first = bytes.indexOf(0);
  if (first < 0) return;
  let zeros = 0;
  for (let at = first; at >= 0; at = bytes.indexOf(0, at + 1)) zeros++;
  if (zeros < 2 || zeros * 100 < bytes.length) return;
  throw new DataError(`is binary, not text (${zeros} zero bytes)`, {
    ...place,
    offset: offset + first,
    hint: "if it is UTF-16, say so with --encoding utf-16le; leave it out with --skip-bad-rows",
  });
};

/** Control characters, as text has few in any encoding. */
const controlsIn = (bytes: Buffer): number => {
  let controls = 0;
  for (const byte of bytes) if (byte < 9 || (byte > 13 && byte < 32 && byte !== 27)) controls++;
  return controls;
};

/** Throws DataError for bytes of which one in fifty or more is a control character. */
const refuseControls = (bytes: Buffer, place: Place, offset: number): void => {
  const controls = controlsIn(bytes);
  if (controls * 50 < bytes.length) return;
  throw new DataError(`is binary, not text (${controls} control characters)`, { ...place, offset });
};

/** How the records of a file are decoded. */
export interface Decoding {
  /** What the whole file is in; its bytes come as UTF-8 then. */
  readonly charset?: string;
  /** What the bytes of a page are in, even where they could be UTF-8. */
  readonly whole?: string;
  /** Names the encoding of a record that is not UTF-8, where that is known. */
  readonly other?: (bytes: Uint8Array) => string | undefined;
}

/** `bytes` of an encoding as text. Throws DataError for what is malformed in it. */
const decodeAs = (bytes: Buffer, name: string, place: Place): string => {
  const text = charsetDecoder(name)(bytes);
  if (!text.includes("\ufffd")) return text;
  throw malformed(name, place);
};

const malformed = (name: string, place: Place): DataError =>
  new DataError(`is not ${shownCharset(name)}`, {
    ...place,
    hint: "name another encoding with --encoding, or leave such records out with --skip-bad-rows",
  });

const ASCII = /^[\0-\x7f]*$/;

const note = (name: string): string => `read as ${shownCharset(name)}`;

/**
 * `bytes` as text, with a note where they are not in UTF-8. Throws DataError for what cannot be decoded, and
 * for what is binary.
 */
export const decodeText = (
  bytes: Buffer,
  place: Place,
  offset: number,
  { charset, whole: name, other }: Decoding = {},
): { readonly text: string; readonly note?: string } => {
  if (name !== undefined) {
    const text = decodeAs(bytes, name, place);
    return ASCII.test(text) ? { text } : { text, note: note(name) };
  }
  refuseZeros(bytes, place, offset);
  try {
    const text = decodeUtf8(bytes, place, offset);
    return charset === undefined || ASCII.test(text) ? { text } : { text, note: note(charset) };
  } catch (error) {
    if (charset !== undefined) throw malformed(charset, place);
    if (other === undefined) throw error;
    refuseControls(bytes, place, offset);
    const name = other(bytes);
    if (name === undefined) throw unclear(place, offset + firstMalformed(bytes));
    return { text: decodeAs(bytes, name, place), note: note(name) };
  }
};

const unclear = (place: Place, offset: number): DataError =>
  new DataError("is not UTF-8, and in which encoding it is, is not clear", {
    ...place,
    offset,
    hint: "name it, such as --encoding windows-1251, or leave such records out with --skip-bad-rows",
  });

/** "utf-8", the default, refuses what is not; "auto" finds out; else the name of what such files are in. */
export type Encoding = string;

/** How records are decoded that have no file of text around them, such as the bytes in a Parquet file. */
export const recordDecoding = async (encoding: Encoding = "utf-8"): Promise<Decoding> => {
  if (encoding === "utf-8") return {};
  return { other: encoding === "auto" ? await loadCharsetDetector() : () => encoding };
};

/** Bytes at the start of a file that its encoding is found by. */
const SAMPLE = 2 ** 18;

const sampleOf = async (path: string, options: ByteOptions, maxBytes: number): Promise<Buffer> => {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const chunk of fileBytes(path, options, maxBytes)) {
    pieces.push(chunk);
    size += chunk.length;
    if (size >= SAMPLE) break;
  }
  return Buffer.concat(pieces);
};

/** UTF-16 without a mark: every other byte of what is ASCII is zero. */
const zeros = (sample: Buffer): string | undefined => {
  const counts = [0, 0];
  for (let i = 0; i < sample.length; i++) if (sample[i] === 0) counts[i & 1]!++;
  const [even, odd] = counts as [number, number];
  if (odd * 4 > sample.length && even * 20 < odd) return "utf-16le";
  return even * 4 > sample.length && odd * 20 < even ? "utf-16be" : undefined;
};

/** The bytes without a character that is cut off at their end. */
const whole = (sample: Buffer): Buffer => {
  const at = firstMalformed(sample);
  return at >= sample.length - 3 && at >= 0 ? sample.subarray(0, at) : sample;
};

const isUtf8 = (bytes: Buffer): boolean => firstMalformed(bytes) < 0;

/** What a file is in that begins with `sample`; undefined for UTF-8, and where each record must tell. */
const guessed = (sample: Buffer, detect: NonNullable<Decoding["other"]>): string | undefined => {
  const wide = zeros(sample);
  if (wide !== undefined) return wide;
  const utf8 = isUtf8(whole(sample));
  // Japanese in seven bits: escapes that switch to its characters (RFC 1468).
  if (utf8) return sample.includes("\u001b$B") ? "iso-2022-jp" : undefined;
  const lines = sample.toString("latin1").split("\n");
  const wideLines = lines.filter((line) => !ASCII.test(line)).map((line) => Buffer.from(line, "latin1"));
  // A file of several encodings: its records are looked at one by one.
  const mixed = wideLines.filter(isUtf8).length * 10 > wideLines.length;
  return mixed || controlsIn(sample) * 50 >= sample.length ? undefined : detect(sample);
};

/** How the text of a file is decoded, found by its start. Throws DataError. */
export const fileDecoding = async (
  path: string,
  options: ByteOptions & { readonly encoding?: Encoding },
  maxBytes: number,
): Promise<Decoding> => {
  const { encoding = "utf-8" } = options;
  if (encoding === "utf-8") return {};
  const { other } = await recordDecoding(encoding);
  const sample = await sampleOf(path, options, maxBytes);
  const text = isUtf8(whole(sample)) && !sample.includes(0) ? whole(sample).toString("utf8") : "";
  if (encoding !== "auto") return meansUtf8(text, encoding) ? { other: other! } : { charset: encoding };
  const charset = guessed(sample, other!);
  return charset === undefined ? { other: other! } : { charset };
};
