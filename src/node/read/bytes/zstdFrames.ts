/**
 * Whether a Zstandard file is whole, found by walking its frames without unpacking them (RFC 8878, section
 * 3). DuckDB reads a torn file up to where it ends and says nothing.
 */
import { open } from "node:fs/promises";
import { DataError } from "../../../util/errors.ts";

const MAGIC = 0xfd2fb528;

type ReadAt = (at: number, count: number) => Promise<Buffer>;

/** Bytes of a frame's header behind its magic, and of the checksum at its end. */
const headerOf = (descriptor: number): { readonly header: number; readonly checksum: number } => {
  const single = (descriptor >> 5) & 1;
  const size = [single, 2, 4, 8][descriptor >> 6]!;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  return { header: 1 + (1 - single) + dictionary + size, checksum: descriptor & 4 ? 4 : 0 };
};

/** Where the frame at `start` ends. */
const frameEnd = async (read: ReadAt, start: number): Promise<number> => {
  const head = await read(start, 8);
  const magic = head.readUInt32LE(0);
  // A frame to be skipped, of any content.
  if (magic >>> 4 === 0x184d2a5) return start + 8 + head.readUInt32LE(4);
  if (magic !== MAGIC) throw new RangeError("no frame");
  const { header, checksum } = headerOf(head[4]!);
  for (let at = start + 4 + header; ; ) {
    const block = (await read(at, 3)).readUIntLE(0, 3);
    const type = (block >> 1) & 3;
    if (type === 3) throw new RangeError("no block");
    at += 3 + (type === 1 ? 1 : block >> 3);
    if (block & 1) return at + checksum;
  }
};

/**
 * Size of the file. Throws DataError for one that is torn, has bytes behind its last frame, or cannot be
 * read.
 */
export const checkZstd = async (path: string): Promise<number> => {
  const handle = await open(path).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`cannot be read (${cause.code})`, { file: path, cause });
  });
  try {
    const { size } = await handle.stat();
    const read: ReadAt = async (at, count) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(count), 0, count, at);
      if (bytesRead < count) throw new RangeError("torn");
      return buffer;
    };
    let at = 0;
    while (at < size) at = await frameEnd(read, at);
    if (at > size) throw new RangeError("torn");
    return size;
  } catch (cause) {
    throw new DataError("cannot be read (torn, or not Zstandard)", {
      file: path,
      cause,
      hint: "get it again",
    });
  } finally {
    await handle.close();
  }
};
