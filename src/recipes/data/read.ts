/** Reads the user's data as a task takes it. */
import { isPair } from "../../data/records/rows.ts";
import { readDocuments } from "../../node/read/read.ts";
import type { Task } from "../../tasks/task.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { corpus } from "./corpus.ts";
import { pairData } from "./pairs.ts";
import { asUserData, type UserData } from "./userData.ts";

/** Whether the first record of the user's files is a pair of texts. */
export const holdsPairs = async ({ data }: RunOptions): Promise<boolean> => {
  if (data.paths.length === 0 || data.field !== undefined) return false;
  const { encoding, delimiter } = data;
  const given = { encoding, ...(delimiter === undefined ? {} : { delimiter }), skipBadRows: true };
  for await (const { turns } of readDocuments(data.paths, given)) return turns !== undefined && isPair(turns);
  return false;
};

type DataHooks = Pick<RecipeHooks, "ui" | "signal"> & Partial<RecipeHooks>;

/**
 * Reads and prepares what `task` learns from; with `tokenizer`, for a model that has one already. Throws
 * DataError naming file and line.
 */
export const userData = async (
  options: RunOptions,
  hooks: DataHooks,
  { task, tokenizer }: { readonly task: Pick<Task, "reads">; readonly tokenizer?: Tokenizer },
): Promise<UserData> => {
  if (task.reads.includes("pairs") && (await holdsPairs(options))) {
    return pairData(options, hooks, tokenizer);
  }
  return asUserData(await corpus(options, hooks, tokenizer));
};
