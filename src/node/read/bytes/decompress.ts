/**
 * The bytes of a file, unpacked where its name ends in .gz or .zst. What unpacks to far more than it takes is
 * refused. Node has Zstandard from version 22.15 on; before that DuckDB reads such files, as lines.
 */
import { createReadStream, statSync } from "node:fs";
import type { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { AnnealError, DataError } from "../../../util/errors.ts";
import { duckdbLines } from "../parquet/duckdb.ts";
import { checkZstd } from "./zstdFrames.ts";

/** How much a packed file may unpack to. */
export interface UnpackLimits {
  /** Most bytes that a packed file may unpack to; 64 GiB unless told. */
  readonly maxUnpackedBytes?: number;
  /** How many times its own size a packed file may unpack to, beyond the first 64 MiB; 200 unless told. */
  readonly maxRatio?: number;
}

const ALWAYS = 64 * 2 ** 20;

/** The packing that a file's name tells. */
export const packing = (path: string): "gz" | "zst" | undefined =>
  /\.(gz|zst)$/i.exec(path)?.[1]?.toLowerCase() as "gz" | "zst" | undefined;

const unpacker = (path: string): Transform | undefined => {
  const kind = packing(path);
  if (kind === "gz") return zlib.createGunzip();
  return kind === "zst"
    ? (zlib as { createZstdDecompress?: () => Transform }).createZstdDecompress?.()
    : undefined;
};

/** Whether this Node unpacks Zstandard by itself. */
export const hasZstd = (): boolean => "createZstdDecompress" in zlib;

/** Throws DataError where `packed` bytes have become too many. */
const checkSize = (path: string, packed: number, size: number, limits: UnpackLimits): void => {
  const { maxUnpackedBytes = 64 * 2 ** 30, maxRatio = 200 } = limits;
  if (size > maxUnpackedBytes) {
    throw new DataError(`unpacks to more than ${maxUnpackedBytes} bytes`, {
      file: path,
      hint: "unpack it yourself and cut it into smaller files",
    });
  }
  if (size > ALWAYS && size > maxRatio * packed) {
    throw new DataError(`unpacks to more than ${maxRatio} times its size`, {
      file: path,
      hint: "it may be made to fill the memory; if it is not, unpack it yourself",
    });
  }
};

/** Files of other kinds that are met under the names of text, by their first bytes. */
const SIGNATURES: readonly (readonly [start: string, what: string])[] = [
  ["%PDF-", "PDF"],
  ["PK\u0003\u0004", "ZIP"],
  ["\u0089PNG", "PNG"],
  ["\u00ff\u00d8\u00ff", "JPEG"],
  ["\u001f\u008b\u0008", "gzip without the name .gz"],
  ["(\u00b5/\u00fd", "Zstandard without the name .zst"],
  ["PAR1", "Parquet"],
  ["\u007fELF", "a program"],
];

/** Throws DataError where the first bytes are those of a known kind that is no text. */
export const refuseBinary = (path: string, start: Buffer): void => {
  const head = start.subarray(0, 8).toString("latin1");
  const what = SIGNATURES.find(([signature]) => head.startsWith(signature))?.[1];
  if (what !== undefined) {
    throw new DataError(`is no text (${what})`, {
      file: path,
      hint: "turn it into text, or give it its name",
    });
  }
};

/** What zlib's codes say of a gzip file. */
const TORN: Readonly<Record<string, string>> = {
  Z_BUF_ERROR: "is cut off: the gzip data in it is torn",
  Z_DATA_ERROR: "is not gzip, is damaged, or has other bytes behind its end",
};

const readError = (path: string, cause: unknown): DataError => {
  const { code = "" } = cause as NodeJS.ErrnoException;
  if (Object.hasOwn(TORN, code)) {
    const hint = "get it again, or unpack with gzip -dc what can be saved";
    return new DataError(`cannot be read (${TORN[code]})`, { file: path, hint, cause });
  }
  return new DataError(`cannot be read (${code || cause})`, { file: path, cause });
};

/** Throws DataError for a packed file of no bytes, which even the packing of nothing has not. */
const refuseEmpty = (path: string): void => {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 1) > 0) return;
  throw new DataError(`is empty, not ${packing(path) === "gz" ? "gzip" : "Zstandard"}`, {
    file: path,
    hint: "get it again",
  });
};

async function* unzip(path: string, limits: UnpackLimits): AsyncGenerator<Buffer> {
  const raw = createReadStream(path);
  const transform = unpacker(path);
  const stream = transform === undefined ? raw : raw.pipe(transform);
  raw.on("error", (error) => stream.destroy(error));
  let size = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (transform !== undefined) checkSize(path, raw.bytesRead, size, limits);
      yield chunk;
    }
  } catch (cause) {
    if (cause instanceof AnnealError) throw cause;
    throw readError(path, cause);
  } finally {
    raw.destroy();
    stream.destroy();
  }
}

/**
 * The unpacked bytes of a file, in pieces of at most 64 KiB or a line. Throws DataError for what cannot be
 * read or unpacks to too much, MissingError where Zstandard needs DuckDB and it is not there.
 */
export async function* unpacked(
  path: string,
  limits: UnpackLimits = {},
  maxLineBytes = ALWAYS,
): AsyncGenerator<Buffer> {
  if (packing(path) !== undefined) refuseEmpty(path);
  if (packing(path) !== "zst") return yield* unzip(path, limits);
  // Neither Node nor DuckDB says of a torn file that it is torn.
  const packed = await checkZstd(path);
  if (hasZstd()) return yield* unzip(path, limits);
  let size = 0;
  for await (const line of duckdbLines(path, maxLineBytes)) {
    size += line.length;
    checkSize(path, packed, size, limits);
    yield line;
  }
}
