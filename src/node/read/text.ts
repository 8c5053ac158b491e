/** Text and Markdown files as documents: a small file is one, a large one is cut at blank lines. */
import type { Document } from "../../data/records/document.ts";
import { decodeText, fileDecoding } from "./bytes/decode.ts";
import { type Line, type LineOptions, lineGroups } from "./bytes/lines.ts";
import { guarded, MAX_RECORD, type ReadOptions, withNote } from "./options.ts";

/**
 * Text files above WHOLE bytes are cut at blank lines into documents of about PIECE; without blank lines, of
 * LONGEST. `wholeBytes` may say otherwise.
 */
const WHOLE = 2 ** 18;
const PIECE = 2 ** 13;
const LONGEST = 4 * PIECE;

/** Whether a line has white space only. */
export const isBlank = ({ bytes }: Line): boolean =>
  bytes.every((byte) => byte === 32 || (byte >= 9 && byte <= 13));

/** The lines of a file, in groups; with skipBadRows, those that are too long are counted and passed over. */
export const linesOf = (
  path: string,
  options: ReadOptions & LineOptions,
): AsyncGenerator<readonly Line[]> => {
  const { maxRecordBytes = MAX_RECORD, skipBadRows = false, onSkip = () => {} } = options;
  return lineGroups(path, maxRecordBytes, skipBadRows ? { ...options, onLong: onSkip } : options);
};

/** Lines grouped into pieces of about PIECE bytes that end at blank lines where there are some. */
async function* pieces(path: string, options: ReadOptions & LineOptions): AsyncGenerator<Line> {
  let piece: Line[] = [];
  let size = 0;
  const join = (): Line => ({ ...piece[0]!, bytes: Buffer.concat(piece.map(({ bytes }) => bytes)) });
  for await (const group of linesOf(path, options)) {
    for (const line of group) {
      if (size >= LONGEST || (size >= PIECE && isBlank(piece.at(-1)!) && !isBlank(line))) {
        yield join();
        piece = [];
        size = 0;
      }
      piece.push(line);
      size += line.bytes.length;
    }
  }
  if (piece.length > 0) yield join();
}

/** Documents of a text file. Throws DataError for what is not UTF-8, or binary. */
export async function* textDocuments(path: string, options: ReadOptions): AsyncGenerator<Document> {
  const { wholeBytes = WHOLE, maxRecordBytes = MAX_RECORD } = options;
  const decoding = await fileDecoding(path, options, maxRecordBytes);
  const document = ({ bytes, number, offset }: Line): Document | undefined =>
    guarded(options, () => {
      const { text, note } = decodeText(bytes, { file: path }, offset, decoding);
      return withNote({ id: number === 1 ? path : `${path}:${number}`, text }, note);
    });
  let held: Line[] | undefined = [];
  let size = 0;
  for await (const piece of pieces(path, { ...options, ...decoding })) {
    size += piece.bytes.length;
    held?.push(piece);
    if (size <= wholeBytes) continue;
    for (const each of held ?? [piece]) {
      const made = document(each);
      if (made !== undefined) yield made;
    }
    held = undefined;
  }
  if (held === undefined || held.length === 0) return;
  const whole = document({ ...held[0]!, bytes: Buffer.concat(held.map(({ bytes }) => bytes)) });
  if (whole !== undefined) yield whole;
}
