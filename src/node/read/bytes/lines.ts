/** Bytes and lines of files, plain or packed, in bounded memory. */
import { DataError } from "../../../util/errors.ts";
import { isRemote, remoteBytes } from "../parquet/remote.ts";
import { recoded } from "./charset.ts";
import { refuseBinary, type UnpackLimits, unpacked } from "./decompress.ts";

/** One line of a file. */
export interface Line {
  /** With its line end, where it has one. */
  readonly bytes: Buffer;
  /** From 1. */
  readonly number: number;
  /** Byte offset in the (unpacked) file. */
  readonly offset: number;
}

/** How a file's bytes become UTF-8. */
export interface ByteOptions extends UnpackLimits {
  /** What the file is in, by the standard's name, where that is not UTF-8 and no mark at its start tells. */
  readonly charset?: string;
  /** Whether a mark of UTF-8 or UTF-16 is kept, as that of UTF-8. */
  readonly keepMark?: boolean;
}

/** How a file is cut into lines. */
export interface LineOptions extends ByteOptions {
  /** Told of a line that is too long, which is then passed over; such a line throws unless given. */
  readonly onLong?: (error: DataError) => void;
  /** Whether lines may end in CR alone, as on old Macs: the first line end of the file tells. */
  readonly carriageReturns?: boolean;
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** Throws DataError for UTF-32, which nothing reads. */
const refuseUtf32 = (file: string, start: Buffer): void => {
  const head = start.subarray(0, 4).toString("latin1");
  if (head !== "\xff\xfe\0\0" && head !== "\0\0\xfe\xff") return;
  throw new DataError("is UTF-32", { file, hint: "convert it with iconv -f utf-32 -t utf-8" });
};

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
      const hint = "it may be torn; get it again, or convert it with iconv -c -f utf-16 -t utf-8";
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
 * mark, UTF-8 where the mark is that of UTF-16 or `charset` says what else it is. Throws DataError.
 */
export async function* fileBytes(
  path: string,
  options: ByteOptions = {},
  maxBytes?: number,
): AsyncGenerator<Buffer> {
  const source = isRemote(path) ? remoteBytes(path, maxBytes ?? 2 ** 26) : unpacked(path, options, maxBytes);
  const pieces = withStart(source);
  try {
    const { value: start, done } = await pieces.next();
    if (done === true) return;
    refuseBinary(path, start);
    refuseUtf32(path, start);
    const all = async function* (): AsyncGenerator<Buffer> {
      yield start.subarray(0, 3).equals(BOM) ? start.subarray(3) : start;
      yield* pieces;
    };
    const marked = start.subarray(0, 3).equals(BOM);
    const name = utf16(start) ?? (marked ? undefined : options.charset);
    if (options.keepMark && (marked || utf16(start) !== undefined)) yield BOM;
    if (name === undefined) yield* all();
    else yield* name.startsWith("utf-16") ? fromUtf16(all(), name, path) : recoded(all(), name);
  } finally {
    await pieces.return(undefined);
  }
}

const [LF, CR] = [10, 13];

/** The byte that ends lines, by the first that does. */
const lineEnd = (chunk: Buffer): number => {
  const at = chunk.indexOf(CR);
  const alone = at >= 0 && at + 1 < chunk.length && chunk[at + 1] !== LF;
  return alone && !chunk.subarray(0, at).includes(LF) ? CR : LF;
};

/** Puts lines together of the pieces of a file; `hold` takes what does not end one. */
const lineHolder = () => {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let number = 1;
  let offset = 0;
  let passing = false;
  return {
    place: () => ({ number, heldBytes }),
    isPassing: () => passing,
    /** Goes on without what is held, and what comes until the line ends. */
    pass(): void {
      passing = true;
      held = [];
    },
    hold(part: Buffer): void {
      if (!passing) held.push(part);
      heldBytes += part.length;
    },
    take(end: Buffer): Line | undefined {
      const bytes = held.length === 0 ? end : Buffer.concat([...held, end]);
      const line = passing ? undefined : { bytes, number, offset };
      number++;
      offset += heldBytes + end.length;
      held = [];
      heldBytes = 0;
      passing = false;
      return line;
    },
  };
};

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
  const { place, isPassing, pass, hold, take } = lineHolder();
  const isLong = (more: number): boolean => !isPassing() && place().heldBytes + more > maxBytes;
  const check = (more: number): void => {
    if (!isLong(more)) return;
    const error = tooLong(path, place().number, maxBytes);
    if (options.onLong === undefined) throw error;
    options.onLong(error);
    pass();
  };
  let end: number | undefined;
  for await (const chunk of fileBytes(path, options, maxBytes)) {
    end ??= options.carriageReturns ? lineEnd(chunk) : LF;
    let group: Line[] = [];
    let from = 0;
    for (let at = chunk.indexOf(end); at >= 0; at = chunk.indexOf(end, from)) {
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
    hold(chunk.subarray(from));
  }
  const last = place().heldBytes > 0 ? take(Buffer.alloc(0)) : undefined;
  if (last !== undefined) yield [last];
}

const tooLong = (file: string, line: number, maxBytes: number): DataError => {
  const size = maxBytes < 2 ** 20 ? `${maxBytes} bytes` : `${Math.round(maxBytes / 2 ** 20)} MiB`;
  const hint = "one record a line is expected; cut the file into lines";
  return new DataError(`a line is longer than ${size}`, { file, line, hint });
};
