/**
 * Line-aligned files, as translations are handed on (Moses, OPUS, WMT): line n of "train.de" is the
 * translation of line n of "train.en".
 */
import { basename, dirname, join } from "node:path";
import { encodingNamed } from "../../node/read/bytes/charset.ts";
import { decodeText, fileDecoding } from "../../node/read/bytes/decode.ts";
import { MAX_RECORD } from "../../node/read/options.ts";
import { listInputs } from "../../node/read/read.ts";
import { linesOf } from "../../node/read/text.ts";
import type { Row } from "../../tasks/records.ts";
import { DataError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";

/** Two files whose lines belong together. */
export interface AlignedFiles {
  readonly source: string;
  readonly target: string;
}

const packing = /\.(gz|zst)$/i;

/** The language that a file's name ends in, and the rest of its path. */
const sideOf = (path: string, languages: readonly string[]) => {
  const name = basename(path).replace(packing, "");
  const language = languages.find((each) => name.toLowerCase().endsWith(`.${each.toLowerCase()}`));
  if (language === undefined) return undefined;
  return { language, stem: join(dirname(path), name.slice(0, -language.length - 1)) };
};

/**
 * The line-aligned files that paths name by the languages at their ends (train.en.gz, train.de.gz); undefined
 * where there are none. Throws DataError naming a file whose other side is missing, and one that has no side.
 */
export const alignedFiles = async (
  paths: readonly string[],
  { sourceLang, targetLang }: Pick<RunOptions["task"], "sourceLang" | "targetLang">,
): Promise<readonly AlignedFiles[] | undefined> => {
  if (!sourceLang || !targetLang || paths.length === 0) return undefined;
  const languages = [sourceLang, targetLang];
  const isSide = (path: string): boolean => sideOf(path, languages) !== undefined;
  // A folder of records has no such file: it is read as it always is.
  const files = await listInputs(paths, { accept: isSide }).catch((error: unknown) => {
    if (error instanceof DataError) return [];
    throw error;
  });
  const sides = files.flatMap(({ path }) => {
    const side = sideOf(path, languages);
    return side === undefined ? [] : [{ path, ...side }];
  });
  if (sides.length === 0) return undefined;
  const alien = files.find(({ path }) => !isSide(path));
  if (alien !== undefined) {
    throw new DataError(`ends in neither .${sourceLang} nor .${targetLang}, as the other files do`, {
      file: alien.path,
      hint: "give line-aligned files, or records, and not both at once",
    });
  }
  const stems = new Map<string, (typeof sides)[number][]>();
  for (const side of sides) stems.set(side.stem, [...(stems.get(side.stem) ?? []), side]);
  return Array.from(stems.values(), (both) => {
    const [source, target] = languages.map((each) => both.find(({ language }) => language === each)?.path);
    if (source !== undefined && target !== undefined) return { source, target };
    const other = source === undefined ? sourceLang : targetLang;
    throw new DataError(`has no other side in .${other}`, {
      file: both[0]!.path,
      hint: `name both files, such as ${basename(both[0]!.stem)}.${sourceLang} and .${targetLang}`,
    });
  });
};

/** Lines of a text file, without their ends. Throws DataError for what is not text. */
async function* textLines(path: string, options: RunOptions["data"]): AsyncGenerator<string> {
  const read = { encoding: encodingNamed(options.encoding) };
  const decoding = await fileDecoding(path, read, MAX_RECORD);
  for await (const group of linesOf(path, { ...read, ...decoding })) {
    for (const { bytes, number, offset } of group) {
      const { text } = decodeText(bytes, { file: path, line: number }, offset, decoding);
      yield text.replace(/\r?\n$/, "");
    }
  }
}

const countLines = async (path: string, options: RunOptions["data"]): Promise<number> => {
  let count = 0;
  for await (const _ of textLines(path, options)) count++;
  return count;
};

/**
 * A record for each line, its fields the languages. Throws DataError with both counts where one file has more
 * lines than the other.
 */
export async function* alignedRows(files: AlignedFiles, options: RunOptions): AsyncGenerator<Row> {
  const { data, task } = options;
  const [source, target] = [textLines(files.source, data), textLines(files.target, data)];
  for (let line = 1; ; line++) {
    const [one, other] = [await source.next(), await target.next()];
    if (one.done && other.done) return;
    if (one.done || other.done) {
      const counts = [await countLines(files.source, data), await countLines(files.target, data)];
      throw new DataError(`has ${counts[0]} lines, and ${basename(files.target)} has ${counts[1]}`, {
        file: files.source,
        hint: "line n of the one is to be the translation of line n of the other: make them equally long",
      });
    }
    const fields = { [task.sourceLang!]: one.value, [task.targetLang!]: other.value };
    yield { id: `${files.source}:${line}`, fields };
  }
}
