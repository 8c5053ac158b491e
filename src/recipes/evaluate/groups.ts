/** The user's pairs and triplets, where the data is such: see `search`. */
import { type GroupKind, kindOfColumns, read } from "../../tasks/embedding/groupRecords.ts";
import { columnsOf } from "../../tasks/records.ts";
import { DataError } from "../../util/errors.ts";
import { firstRecord, readRecords, recordOptions } from "../data/records.ts";
import type { Asked } from "./evaluation.ts";
import type { Group } from "./retrieval.ts";

/** What the first record's columns are for; undefined where there is none, and where they are of others. */
const kindOfFirst = async ({ options }: Asked): Promise<GroupKind | undefined> => {
  const row = await firstRecord(options);
  return row === undefined ? undefined : kindOfColumns(columnsOf([row]), recordOptions(options));
};

/**
 * All pairs and triplets of the user's files; undefined where they hold none. Throws DataError naming a
 * record that is none, unless bad rows are left out.
 */
export const groupsIn = async (asked: Asked): Promise<readonly Group[] | undefined> => {
  const { options, hooks, subject, given } = asked;
  const kind = await kindOfFirst(asked);
  if (kind !== "pairs" && kind !== "triplets") return undefined;
  const { rows, skipped } = await readRecords(options.data.paths, options, hooks);
  const reading = read(rows, { options: recordOptions(options) });
  const { positions } = subject.arch.cache(subject.config);
  const bad: string[] = [];
  const onBad = (error: DataError) => void bad.push(error.message);
  const { examples, rows: kept } = await reading.encode(rows, {
    ...{ tokenizer: subject.tokenizer, context: positions },
    ...(options.data.skipBadRows ? { onBad } : {}),
  });
  const left = [...skipped, ...bad];
  if (left.length > 0) hooks.ui.warn(`${left.length} records were left out: ${left[0]}`);
  if (examples.length === 0) throw new DataError("no record is left to measure on");
  return kept.slice(0, given.limit).map((row) => ({ id: row.id, texts: reading.texts(row) }));
};
