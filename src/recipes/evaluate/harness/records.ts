/** The records of a task file's splits: JSON and JSON Lines beside it, or files that the user names. */
import { readFile, realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { ConfigError, DataError } from "../../../util/errors.ts";
import { parseText } from "../../../util/jsonText.ts";
import type { HarnessRecord } from "./documents.ts";
import type { HarnessTask } from "./taskFile.ts";

const recordOf = (value: unknown, id: string): HarnessRecord => {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return { id, fields: value as Record<string, unknown> };
  }
  throw new DataError("is no record", { file: id, hint: "each record is a JSON object" });
};

const parsed = (text: string, id: string): unknown => {
  try {
    return parseText(text);
  } catch (cause) {
    throw new DataError(`is no JSON: ${(cause as Error).message}`, { file: id, cause });
  }
};

/** The records of a file: an array of them, or one a line. Throws DataError naming file and line. */
export const recordsIn = async (file: string): Promise<HarnessRecord[]> => {
  const text = (
    await readFile(file, "utf8").catch((cause) => {
      throw new DataError(`cannot be read (${(cause as NodeJS.ErrnoException).code})`, { file, cause });
    })
  ).replace(/^\ufeff/, "");
  if (text.trimStart().startsWith("[")) {
    const all = parsed(text, file) as unknown[];
    return all.map((value, i) => recordOf(value, `${file}:record ${i + 1}`));
  }
  return text.split(/\r?\n/).flatMap((line, i) => {
    const id = `${file}:${i + 1}`;
    return line.trim() === "" ? [] : [recordOf(parsed(line, id), id)];
  });
};

/** Files of a split, as the task file names them: a path, several, or some for each split. */
const namedFiles = ({ dataset_kwargs: given }: HarnessTask, split: string): string[] => {
  const files = given?.data_files;
  const own =
    typeof files === "object" && files !== null && !Array.isArray(files)
      ? (files as Record<string, unknown>)[split]
      : files;
  return (Array.isArray(own) ? own : [own]).filter((path): path is string => typeof path === "string");
};

/** A file beside the task file: nothing that it names lies outside of its folder. */
const beside = async (taskFile: string, path: string): Promise<string> => {
  const folder = await realpath(dirname(taskFile));
  const file = await realpath(join(folder, path)).catch(() => join(folder, path));
  const inside = relative(folder, file);
  if (!isAbsolute(path) && !inside.startsWith(`..${sep}`) && !isAbsolute(inside)) return file;
  throw new ConfigError(`names ${path}, which is not in its own folder`, {
    ...{ file: taskFile, field: "dataset_kwargs.data_files" },
    hint: "copy the records beside the task file, or name them with --data",
  });
};

/** The split that is evaluated, as in the harness. */
const splitOf = (task: HarnessTask): string =>
  task.test_split ?? task.validation_split ?? task.training_split ?? "test";

const splitRecords = async (taskFile: string, task: HarnessTask, split: string) => {
  const paths = namedFiles(task, split);
  if (paths.length === 0) {
    throw new ConfigError(`names no file of the split ${split}`, {
      ...{ file: taskFile, field: "dataset_kwargs.data_files" },
      hint: "data sets of the Hub are not fetched: name the records (JSON, JSON Lines) with --data",
    });
  }
  const files = await Promise.all(paths.map((path) => beside(taskFile, path)));
  return (await Promise.all(files.map(recordsIn))).flat();
};

/**
 * The records that are asked, and those that are shown before: the first of the split of examples, which must
 * be another one. Throws ConfigError and DataError.
 */
export const harnessRecords = async (taskFile: string, task: HarnessTask, given: readonly string[]) => {
  const asked = splitOf(task);
  const records =
    given.length > 0
      ? (await Promise.all(given.map(recordsIn))).flat()
      : await splitRecords(taskFile, task, asked);
  if (records.length === 0) throw new DataError("there are no records", { file: given[0] ?? taskFile });
  const count = task.num_fewshot ?? 0;
  if (count === 0) return { records, examples: [] };
  const split = task.fewshot_split ?? task.training_split ?? undefined;
  if (split === undefined || split === asked) {
    throw new ConfigError(`asks for ${count} examples, and no other split to take them from`, {
      ...{ file: taskFile, field: "fewshot_split" },
    });
  }
  const pool = await splitRecords(taskFile, task, split);
  if (pool.length >= count) return { records, examples: pool.slice(0, count) };
  throw new DataError(`${count} examples are asked for, and the split ${split} has ${pool.length}`, {
    file: taskFile,
  });
};
