/** What a fine-tuned model learns from, and how its steps are taken. */
import type { Engine } from "../../engine/engine.ts";
import type { Model } from "../../models/model.ts";
import type { Lesson } from "../../tasks/task.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { recordOptions } from "../data/records.ts";
import type { Method } from "../train/method.ts";
import { type Steps, shareSteps, wholeSteps } from "../train/ranks.ts";
import type { Subject } from "./subject.ts";

/** Held-out tokens that texts are measured on; of records all are. */
const WATCHED = 65_536;

/**
 * What a lesson is made of; the untouched model says of the material what the task asks it. Throws as the
 * task does, naming the files where all records together are unfit.
 */
export const lessonOf = async (
  engine: Engine,
  { task, data, tokenizer, model: untouched, options }: Subject,
  model: Model,
): Promise<Lesson> => {
  const how = {
    ...{ model, tokenizer, batch: options.train.batch, context: options.model.n_positions },
    ...{ seed: options.seed, heldOutTokens: WATCHED, records: recordOptions(options) },
  };
  const { material } = data;
  try {
    return task.lesson((await task.prepare?.(engine, untouched, material, how)) ?? material, how);
  } catch (cause) {
    const told = cause instanceof DataError ? cause.details : { file: "" };
    const { paths } = options.data;
    if (told.file !== undefined || told.field !== undefined || paths.length === 0) throw cause;
    throw new DataError((cause as DataError).message, { ...told, file: paths.join(", "), cause });
  }
};

/** How steps are taken, and on how many replicas. */
export const steppersOf = (
  { train: given }: RunOptions,
  { objective }: Lesson,
  { subject, method, engine }: { subject: Subject; method: Method; engine: Engine },
  hooks: Pick<RecipeHooks, "ranks" | "signal">,
): Steps => {
  if (objective.byVectors !== undefined) return wholeSteps(given, hooks);
  if (given.chunk > 0) {
    throw new ConfigError(`"${objective.name}" compares no texts of a batch with each other`, {
      field: "train.chunk",
      hint: "leave --chunk out, or make smaller batches and accumulate them (--accumulate)",
    });
  }
  // A share of a batch has whole examples.
  const t = { ...given, batch: given.batch / (subject.task.rowsOfExample ?? 1) };
  return shareSteps(t, { ...method, engine }, hooks);
};
