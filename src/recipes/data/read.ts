/** Reads the user's data as a task takes it. */
import type { Labels } from "../../models/encoders/encoder.ts";
import type { Model } from "../../models/model.ts";
import { columnsOf, type RecordTask } from "../../tasks/records.ts";
import { pairForm } from "../../tasks/seq2seq/pairForm.ts";
import type { Task } from "../../tasks/task.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { ConfigError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { alignedFiles } from "./aligned.ts";
import { corpus } from "./corpus.ts";
import { pairData } from "./pairs.ts";
import { firstRecord, readRecords, recordData, recordOptions } from "./records.ts";
import { asUserData, type UserData } from "./userData.ts";

/** Whether the user's files are line-aligned, or their first record is a pair of texts. */
export const holdsPairs = async (options: RunOptions): Promise<boolean> => {
  const { data, task } = options;
  if (data.paths.length === 0) return false;
  if (data.field !== undefined && task.pairField === undefined) return false;
  if ((await alignedFiles(data.paths, task)) !== undefined) return true;
  const first = await firstRecord(options);
  return first !== undefined && pairForm(columnsOf([first]), recordOptions(options)) !== undefined;
};

type DataHooks = Pick<RecipeHooks, "ui" | "signal"> & Partial<RecipeHooks>;

/** What data is read for. */
export interface DataFor {
  readonly task: Pick<Task, "reads" | "records">;
  /** Of a model that has one already. */
  readonly tokenizer?: Tokenizer;
  /** The model that is taught and measured, whose labels hold. */
  readonly model?: Pick<Model, "config">;
}

/** Labelled records for a model that has its labels. */
const labelledData = async (
  options: RunOptions,
  hooks: DataHooks,
  { records, tokenizer, model }: { records: RecordTask; tokenizer: Tokenizer; model: DataFor["model"] },
): Promise<UserData> => {
  if (options.data.paths.length === 0) {
    throw new ConfigError("names no file", { field: "data.paths", hint: "name records with --data" });
  }
  const { paths, validation: held, skipBadRows: lenient } = options.data;
  const train = await readRecords(paths, options, hooks);
  const validation = held.length === 0 ? {} : { validation: await readRecords(held, options, hooks) };
  const own = { own: model?.config as Labels, fixed: true };
  const reading = records.read(train.rows, { options: recordOptions(options), lenient, ...own });
  return recordData(options, hooks, { reading, tokenizer, train, ...validation });
};

/** Whether the first record of the user's files suits a task that reads text as well. */
const holdsRecords = async (options: RunOptions, records: RecordTask): Promise<boolean> => {
  const first = await firstRecord(options);
  return first !== undefined && records.fits(columnsOf([first]), recordOptions(options)) > 0;
};

/**
 * Reads and prepares what `task` learns from; with `tokenizer`, for a model that has one already. Throws
 * DataError naming file and line.
 */
export const userData = async (
  options: RunOptions,
  hooks: DataHooks,
  { task, tokenizer, model }: DataFor,
): Promise<UserData> => {
  const { records } = task;
  if (task.reads.includes("pairs") && (await holdsPairs(options))) {
    return pairData(options, hooks, tokenizer);
  }
  if (records !== undefined && tokenizer !== undefined) {
    const asked = task.reads[0] === "examples" || (await holdsRecords(options, records));
    if (asked) return labelledData(options, hooks, { records, tokenizer, model });
  }
  return asUserData(await corpus(options, hooks, tokenizer));
};
