/** Bytes and lines of files, plain or gzipped, in bounded memory, and their strict decoding as UTF-8. */
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { DataError } from "../util/errors.ts";

export interface Line {
  /** With its line end, where it has one. */
  readonly bytes: Buffer;
  /** From 1. */
  readonly number: number;
  /** Byte offset in the (unzipped) file. */
  readonly offset: number;
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** The bytes of a file, unzipped where its name ends in .gz, without a byte order mark. Throws DataError. */
export async function* fileBytes(path: string): AsyncGenerator<Buffer> {
  const raw = createReadStream(path);
  const stream = path.endsWith(".gz") ? raw.pipe(createGunzip()) : raw;
  raw.on("error", (error) => stream.destroy(error));
  let first = true;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      yield first && chunk.subarray(0, 3).equals(BOM) ? chunk.subarray(3) : chunk;
      first = false;
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new DataError(`cannot be read (${code ?? cause})`, { file: path, cause });
  } finally {
    raw.destroy();
    stream.destroy();
  }
}

/** Lines of a file. Throws DataError for a line longer than `maxBytes`, before it is held whole. */
export async function* lines(path: string, maxBytes: number): AsyncGenerator<Line> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let number = 1;
  let offset = 0;
  const take = (end: Buffer): Line => {
    const bytes = held.length === 0 ? end : Buffer.concat([...held, end]);
    const line = { bytes, number: number++, offset };
    offset += bytes.length;
    held = [];
    heldBytes = 0;
    return line;
  };
  const check = (more: number): void => {
    if (heldBytes + more <= maxBytes) return;
    const size = maxBytes < 2 ** 20 ? `${maxBytes} bytes` : `${Math.round(maxBytes / 2 ** 20)} MiB`;
    const hint = "one record a line is expected; cut the file into lines";
    throw new DataError(`a line is longer than ${size}`, { file: path, line: number, hint });
  };
  for await (const chunk of fileBytes(path)) {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      check(at - from);
      yield take(chunk.subarray(from, at + 1));
      from = at + 1;
    }
    if (from === chunk.length) continue;
    check(chunk.length - from);
    held.push(chunk.subarray(from));
    heldBytes += chunk.length - from;
  }
  if (heldBytes > 0) yield take(Buffer.alloc(0));
}

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
    const utf16 = offset === 0 && (bytes[0] ?? 0) + (bytes[1] ?? 0) === 0xff + 0xfe;
    const from = utf16 ? "utf-16" : "latin1";
    throw new DataError("is not UTF-8", {
      ...place,
      offset: offset + Math.max(0, firstMalformed(bytes)),
      hint: `convert it (iconv -f ${from} -t utf-8), or leave such files out with --skip-bad-rows`,
      cause,
    });
  }
};
