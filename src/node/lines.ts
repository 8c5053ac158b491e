/**
 * Bytes and lines of files, plain or packed, in bounded memory, and their decoding as UTF-8 or what it is.
 */
import { fromLatin1 } from "../data/mojibake.ts";
import { DataError } from "../util/errors.ts";
import { refuseBinary, type UnpackLimits, unpacked } from "./decompress.ts";
import { isRemote, remoteBytes } from "./readRemote.ts";

export interface Line {
  /** With its line end, where it has one. */
  readonly bytes: Buffer;
  /** From 1. */
  readonly number: number;
  /** Byte offset in the (unpacked) file. */
  readonly offset: number;
}

export interface LineOptions extends UnpackLimits {
  /** Told of a line that is too long, which is then passed over; such a line throws unless given. */
  readonly onLong?: (error: DataError) => void;
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

const utf16 = (start: Buffer): "utf-16le" | "utf-16be" | undefined => {
  if (start[0] === 0xff && start[1] === 0xfe) return "utf-16le";
  return start[0] === 0xfe && start[1] === 0xff ? "utf-16be" : undefined;
};

/** UTF-16 as UTF-8. Throws DataError at the first piece that is malformed. */
async function* fromUtf16(source: AsyncIterable<Buffer>, name: string, file: string): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder(name, { fatal: true });
  let offset = 0;
  const decode = (chunk: Buffer, stream: boolean): Buffer => {
    try {
      return Buffer.from(decoder.decode(chunk, { stream }));
    } catch (cause) {
      const hint = "it starts with the mark of UTF-16; convert it with iconv -f utf-16 -t utf-8";
      throw new DataError("is not UTF-16", { file, offset, hint, cause });
    }
  };
  for await (const chunk of source) {
    yield decode(chunk, true);
    offset += chunk.length;
  }
  yield decode(Buffer.alloc(0), false);
}

/** The same pieces, the first of at least four bytes where there are so many. */
async function* withStart(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let start: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of source) {
    if (start === undefined) {
      yield chunk;
      continue;
    }
    start = start.length === 0 ? chunk : Buffer.concat([start, chunk]);
    if (start.length < 4) continue;
    yield start;
    start = undefined;
  }
  if (start !== undefined && start.length > 0) yield start;
}

/**
 * The bytes of a file as they are decoded: unpacked where its name ends in .gz or .zst, without a byte order
 * mark, UTF-8 where the mark is that of UTF-16. Throws DataError.
 */
export async function* fileBytes(
  path: string,
  limits: UnpackLimits = {},
  maxBytes?: number,
): AsyncGenerator<Buffer> {
  const source = isRemote(path) ? remoteBytes(path, maxBytes ?? 2 ** 26) : unpacked(path, limits, maxBytes);
  const pieces = withStart(source);
  try {
    const { value: start, done } = await pieces.next();
    if (done === true) return;
    refuseBinary(path, start);
    const all = async function* (): AsyncGenerator<Buffer> {
      yield start.subarray(0, 3).equals(BOM) ? start.subarray(3) : start;
      yield* pieces;
    };
    const name = utf16(start);
    yield* name === undefined ? all() : fromUtf16(all(), name, path);
  } finally {
    await pieces.return(undefined);
  }
}

/**
 * Lines of a file, those that end in a piece of it together: a step of a stream costs more than a short line.
 * Throws DataError for a line longer than `maxBytes`, before it is held whole, or tells
 * `onLong` of it and goes on behind it.
 */
export async function* lineGroups(
  path: string,
  maxBytes: number,
  options: LineOptions = {},
): AsyncGenerator<readonly Line[]> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let number = 1;
  let offset = 0;
  let passing = false;
  const take = (end: Buffer): Line | undefined => {
    const bytes = held.length === 0 ? end : Buffer.concat([...held, end]);
    const line = passing ? undefined : { bytes, number, offset };
    number++;
    offset += heldBytes + end.length;
    held = [];
    heldBytes = 0;
    passing = false;
    return line;
  };
  const isLong = (more: number): boolean => !passing && heldBytes + more > maxBytes;
  const check = (more: number): void => {
    if (!isLong(more)) return;
    const error = tooLong(path, number, maxBytes);
    if (options.onLong === undefined) throw error;
    options.onLong(error);
    passing = true;
    held = [];
  };
  for await (const chunk of fileBytes(path, options, maxBytes)) {
    let group: Line[] = [];
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      if (group.length > 0 && isLong(at - from)) {
        yield group;
        group = [];
      }
      check(at - from);
      const line = take(chunk.subarray(from, at + 1));
      if (line !== undefined) group.push(line);
      from = at + 1;
    }
    if (group.length > 0) yield group;
    if (from === chunk.length) continue;
    check(chunk.length - from);
    if (!passing) held.push(chunk.subarray(from));
    heldBytes += chunk.length - from;
  }
  const last = heldBytes > 0 ? take(Buffer.alloc(0)) : undefined;
  if (last !== undefined) yield [last];
}

const tooLong = (file: string, line: number, maxBytes: number): DataError => {
  const size = maxBytes < 2 ** 20 ? `${maxBytes} bytes` : `${Math.round(maxBytes / 2 ** 20)} MiB`;
  const hint = "one record a line is expected; cut the file into lines";
  return new DataError(`a line is longer than ${size}`, { file, line, hint });
};

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
      hint: `convert it (iconv -f ${from} -t utf-8), or leave such files out with --skip-bad-rows`,
      cause,
    });
  }
};

export type Encoding = "utf-8" | "auto";

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
    hint: "if it is UTF-16, give it a byte order mark; leave it out with --skip-bad-rows",
  });
};

/** Throws DataError for bytes of which one in fifty or more is a control character, as no encoding has. */
const refuseControls = (bytes: Buffer, place: Place, offset: number): void => {
  let controls = 0;
  for (const byte of bytes) if (byte < 9 || (byte > 13 && byte < 32 && byte !== 27)) controls++;
  if (controls * 50 < bytes.length) return;
  throw new DataError(`is binary, not text (${controls} control characters)`, { ...place, offset });
};

/**
 * `bytes` as text, with a note where "auto" had to take them as Windows-1252. Throws DataError for what is
 * not UTF-8, unless "auto", and for what is binary.
 */
export const decodeText = (
  bytes: Buffer,
  place: Place,
  offset: number,
  encoding: Encoding = "utf-8",
): { readonly text: string; readonly note?: string } => {
  refuseZeros(bytes, place, offset);
  try {
    return { text: decodeUtf8(bytes, place, offset) };
  } catch (error) {
    if (encoding !== "auto") throw error;
    refuseControls(bytes, place, offset);
    return { text: fromLatin1(bytes.toString("latin1")), note: "read as Windows-1252" };
  }
};
