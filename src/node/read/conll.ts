/**
 * Words in columns, as of CoNLL's shared tasks: a line a word, the word first and its tag last, sentences
 * apart by blank lines; lines of -DOCSTART- are left out.
 */
import type { Document } from "../../data/records/document.ts";
import { DataError } from "../../util/errors.ts";
import { decodeText, fileDecoding } from "./bytes/decode.ts";
import { guarded, MAX_RECORD, type ReadOptions } from "./options.ts";
import { linesOf } from "./text.ts";

interface Open {
  readonly number: number;
  readonly tokens: string[];
  readonly tags: string[];
}

const documentOf = ({ number, tokens, tags }: Open, path: string): Document => ({
  id: `${path}:${number}`,
  text: tokens.join(" "),
  record: { tokens, tags },
});

/** Sentences of a file of columns. Throws DataError naming the line of a word without a tag. */
export async function* conllDocuments(path: string, options: ReadOptions): AsyncGenerator<Document> {
  const decoding = await fileDecoding(path, options, options.maxRecordBytes ?? MAX_RECORD);
  let open: Open | undefined;
  for await (const group of linesOf(path, { ...options, ...decoding })) {
    for (const { bytes, number, offset } of group) {
      const place = { file: path, line: number };
      const line = decodeText(bytes, place, offset, decoding).text.trim();
      if (line === "" || line.startsWith("-DOCSTART-")) {
        if (open !== undefined) yield documentOf(open, path);
        open = undefined;
        continue;
      }
      const cells = line.split(line.includes("\t") ? "\t" : /\s+/);
      guarded(options, () => {
        if (cells.length > 1) return;
        throw new DataError("the word has no tag", { ...place, hint: "give each line a word and its tag" });
      });
      open ??= { number, tokens: [], tags: [] };
      if (cells.length < 2) continue;
      open.tokens.push(cells[0]!.trim());
      open.tags.push(cells.at(-1)!.trim());
    }
  }
  if (open !== undefined) yield documentOf(open, path);
}
