/** Records of JSON lines, and of JSON files that are one array (or several values), as documents. */
import type { Document } from "../../../data/records/document.ts";
import { parseJson } from "../../../data/records/json.ts";
import { rowReader } from "../../../data/records/rows.ts";
import { DataError } from "../../../util/errors.ts";
import { type Decoding, decodeText, fileDecoding } from "../bytes/decode.ts";
import { fileBytes, type Line } from "../bytes/lines.ts";
import { guarded, MAX_RECORD, type ReadOptions, withNote } from "../options.ts";
import { isBlank, linesOf } from "../text.ts";
import { elementCutter } from "./jsonElements.ts";

/** A function that makes a document of the bytes of a record, or counts it as bad. */
const recordReader = (path: string, options: ReadOptions, decoding: Decoding) => {
  const document = rowReader(options);
  return ({ bytes, number, offset }: Line): Document | undefined => {
    const place = { file: path, line: number };
    return guarded(options, () => {
      const { text, note } = decodeText(bytes, place, offset, decoding);
      return withNote(document(parseJson(text, place), `${path}:${number}`, place), note);
    });
  };
};

/** Documents of a file with a JSON object on each line. Throws DataError naming the line. */
export async function* jsonLineDocuments(path: string, options: ReadOptions): AsyncGenerator<Document> {
  const decoding = await fileDecoding(path, options, options.maxRecordBytes ?? MAX_RECORD);
  const read = recordReader(path, options, decoding);
  for await (const group of linesOf(path, { ...options, ...decoding })) {
    for (const line of group) {
      const made = isBlank(line) ? undefined : read(line);
      if (made !== undefined) yield made;
    }
  }
}

/**
 * Documents of a JSON file: an array of records, one record, or records side by side. An element is held
 * whole, the file is not. Throws DataError naming the line where the record begins.
 */
export async function* jsonDocuments(path: string, options: ReadOptions): AsyncGenerator<Document> {
  const { maxRecordBytes = MAX_RECORD } = options;
  const cutter = elementCutter(path, maxRecordBytes);
  const decoding = await fileDecoding(path, options, maxRecordBytes);
  const read = recordReader(path, options, decoding);
  let count = 0;
  const document = (element: Line): Document | undefined => {
    const made = read(element);
    // Several records may stand on a line: their number tells them apart.
    return made === undefined ? undefined : { ...made, id: `${path}:${element.number}#${++count}` };
  };
  for await (const chunk of fileBytes(path, { ...options, ...decoding }, maxRecordBytes)) {
    for (const element of cutter.push(chunk)) {
      const made = document(element);
      if (made !== undefined) yield made;
    }
  }
  const { rest, open, line } = cutter.end();
  const last = rest === undefined ? undefined : document(rest);
  if (last !== undefined) yield last;
  if (open) throw new DataError("is not JSON (the array is not closed)", { file: path, line });
}
