/** Pairs of texts with a number that says how near their meanings are: they judge sentence embeddings. */
import type { Document } from "../../data/records/document.ts";
import { readDocuments } from "../../node/read/read.ts";
import { defined } from "../../util/defined.ts";
import { DataError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";

/** Two texts, and how near they are by the judgement of people. */
export interface ScoredPair {
  /** "file:line". */
  readonly id: string;
  readonly texts: readonly [one: string, other: string];
  readonly score: number;
}

const pairOf = ({ id, turns = [], score }: Document): ScoredPair => {
  const [one, other] = turns.map(({ content }) => content);
  if (one === undefined || other === undefined || score === undefined) {
    throw new DataError("is no scored pair of texts, as the first record is", { file: id });
  }
  if (one.trim() !== "" && other.trim() !== "") return { id, texts: [one, other], score };
  throw new DataError("has an empty text", {
    file: id,
    hint: "give both texts, or leave the record out with --skip-bad-rows",
  });
};

const readOptions = ({ data }: RunOptions) => ({
  encoding: data.encoding,
  ...(data.delimiter === undefined ? {} : { delimiter: data.delimiter }),
  skipBadRows: data.skipBadRows,
});

/** The first record, or why there is none that can be read so. */
const firstOf = async (options: RunOptions, scored: boolean): Promise<Document | DataError | undefined> => {
  let skipped: DataError | undefined;
  const onSkip = (error: DataError): void => {
    skipped ??= error;
  };
  try {
    const given = { ...readOptions(options), scored, onSkip };
    for await (const document of readDocuments(options.data.paths, given)) return document;
    return skipped;
  } catch (error) {
    if (error instanceof DataError) return error;
    throw error;
  }
};

/**
 * Whether the first record of the user's files is a scored pair. Throws DataError where it is neither that
 * nor text.
 */
export const holdsScored = async (options: RunOptions): Promise<boolean> => {
  const { data } = options;
  if (data.paths.length === 0 || data.field !== undefined) return false;
  const first = await firstOf(options, true);
  if (!(first instanceof DataError)) return first?.score !== undefined;
  const text = await firstOf(options, false);
  if (!(text instanceof DataError)) return false;
  if (text.message === first.message) throw first;
  const { file, line, hint } = first.details;
  throw new DataError("is neither a scored pair of texts nor a text", {
    ...defined({ file, line }),
    hint: `${hint}; or name the field with the text with --field`,
  });
};

/**
 * All scored pairs of the user's files, at most `limit`. Throws DataError naming file and line of a record
 * that is none, unless bad rows are left out.
 */
export const scoredPairs = async (
  options: RunOptions,
  { ui, signal }: Pick<RecipeHooks, "ui" | "signal">,
  limit: number,
): Promise<readonly ScoredPair[]> => {
  const pairs: ScoredPair[] = [];
  const skipped: DataError[] = [];
  const onSkip = (error: DataError): void => void skipped.push(error);
  for await (const document of readDocuments(options.data.paths, {
    ...readOptions(options),
    scored: true,
    onSkip,
  })) {
    signal?.throwIfAborted();
    if (pairs.length >= limit) break;
    try {
      pairs.push(pairOf(document));
    } catch (error) {
      if (!options.data.skipBadRows || !(error instanceof DataError)) throw error;
      skipped.push(error);
    }
  }
  if (skipped.length > 0) ui.warn(`${skipped.length} records were left out: ${skipped[0]!.message}`);
  return pairs;
};
