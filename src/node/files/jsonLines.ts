/** Rows of our own between two passes: JSON, one a line, in files that only this program writes. */
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { DataError } from "../../util/errors.ts";
import { guarded, makeFolder } from "./files.ts";

const BUFFER = 2 ** 20;

/** Writes rows to a file through a buffer. */
export interface RowWriter {
  /** A promise where the row made the buffer full. */
  add(row: unknown): void | Promise<void>;
  close(): Promise<void>;
}

/** Writes rows to a file, which is made with the first of them; `close` always makes it. */
export const rowWriter = (path: string): RowWriter => {
  let handle: FileHandle | undefined;
  let held: string[] = [];
  let size = 0;
  const flush = (): Promise<void> =>
    guarded("writing", path, async () => {
      const text = held.join("");
      held = [];
      size = 0;
      if (handle === undefined) await makeFolder(dirname(path));
      handle ??= await open(path, "w");
      await handle.appendFile(text);
    });
  return {
    add(row) {
      const line = `${JSON.stringify(row)}\n`;
      held.push(line);
      size += line.length;
      return size < BUFFER ? undefined : flush();
    },
    async close() {
      await flush();
      await handle?.close();
    },
  };
};

/** The rows of a file. Throws DataError where it is torn. */
export async function* rows<T>(path: string): AsyncGenerator<T> {
  const stream = createReadStream(path, { highWaterMark: BUFFER });
  let rest: Buffer[] = [];
  let line = 0;
  const parse = (bytes: Buffer): T => {
    line++;
    try {
      return JSON.parse(bytes.toString("utf8")) as T;
    } catch (cause) {
      throw new DataError("is torn", { file: path, line, cause, hint: "delete it, and it is made anew" });
    }
  };
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      let from = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
        const end = chunk.subarray(from, at);
        yield parse(rest.length === 0 ? end : Buffer.concat([...rest, end]));
        rest = [];
        from = at + 1;
      }
      if (from < chunk.length) rest.push(chunk.subarray(from));
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    throw new DataError(`cannot be read (${code})`, { file: path, cause });
  } finally {
    stream.destroy();
  }
  if (rest.length > 0) yield parse(Buffer.concat(rest));
}
