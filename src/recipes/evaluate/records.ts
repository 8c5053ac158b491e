/** The user's labelled records as a model is measured on them: all of them, one at a time. */
import type { Labels } from "../../models/encoders/encoder.ts";
import type { Example, Row } from "../../tasks/records.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import { type Records, readRecords, recordOptions } from "../data/records.ts";
import { chatsOf } from "../finetune/chats.ts";
import type { Asked } from "./evaluation.ts";

/** A record with its example, and the texts that it was made of. */
export interface LabelledRecord {
  /** "file:line" */
  readonly id: string;
  readonly row: Row;
  readonly example: Example;
  readonly texts: readonly string[];
}

/** What a model says of a record, and what is right. */
export interface Answer {
  readonly id: string;
  readonly texts: readonly string[];
  readonly logits: readonly number[];
  readonly labels: readonly number[];
  readonly unit: number;
}

/** The records that an evaluation is asked on. Throws ConfigError where no file is named. */
export const recordsAsked = async ({ rows, options, hooks }: Asked): Promise<Records> => {
  if (rows !== undefined) return { rows, skipped: [] };
  const { paths } = options.data;
  if (paths.length > 0) return readRecords(paths, options, hooks);
  throw new ConfigError("names no file", { field: "data.paths", hint: "name records with --data" });
};

/** All records that are asked, with the labels that the model has. Throws DataError naming a place. */
export const labelledRecords = async (asked: Asked): Promise<readonly LabelledRecord[]> => {
  const { subject, options, hooks } = asked;
  const { task, tokenizer, arch, config, dir } = subject;
  const { paths, skipBadRows } = options.data;
  const { rows, skipped } = await recordsAsked(asked);
  const reading = task.records!.read(rows, {
    ...{ options: recordOptions(options), own: config as Labels & typeof config },
    ...{ fixed: true, lenient: skipBadRows },
  });
  const bad: string[] = [];
  const {
    examples,
    rows: kept,
    truncated,
  } = await reading.encode(rows, {
    ...{ tokenizer, context: arch.cache(config).positions },
    ...(await chatsOf(dir, tokenizer)),
    ...(skipBadRows ? { onBad: (error: DataError) => void bad.push(error.message) } : {}),
  });
  const left = [...skipped, ...bad];
  if (left.length > 0) hooks.ui.warn(`${left.length} records were left out: ${left[0]}`);
  if (truncated > 0) hooks.ui.warn(`${truncated} records were cut to the model's positions`);
  if (examples.length === 0)
    throw new DataError("no record is left to measure on", { file: paths.join(", ") });
  return examples.map((example, i) => {
    const row = kept[i]!;
    return { id: row.id, row, example, texts: reading.texts(row) };
  });
};
