/** All that fine-tuning, its check and its learning-rate test begin with. */
import type { Engine } from "../../engine/engine.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import type { Lesson } from "../../tasks/task.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { type Method, methodFor } from "../train/method.ts";
import { requireTraining, stagesOf } from "../train/needs.ts";
import { lessonOf } from "./lesson.ts";
import { scheduled } from "./schedule.ts";
import { type Subject, subjectOf } from "./subject.ts";

/** A run before its first step. */
export interface Prepared {
  readonly engine: Engine;
  readonly subject: Subject;
  readonly method: Method;
  readonly lesson: Lesson;
  /** Options with the steps and rates that the data and the model decide. */
  readonly options: RunOptions;
}

/** Loads model and records, and makes a lesson of them. Throws as `subjectOf`, `methodFor` and the task. */
export const prepare = async (ref: string, given: RunOptions, hooks: RecipeHooks): Promise<Prepared> => {
  const engine = await nodeEngine(given.threads > 0 ? { threads: given.threads } : {});
  const subject = await subjectOf(ref, given, hooks);
  const { model, tokenizer } = subject;
  const { material } = subject.data;
  const { train: examples } = material;
  const context = examples.reduce((most, { length }) => Math.max(most, length), 1);
  // How many of an example's tokens the head reads is the task's own affair.
  await requireTraining(model, subject.options, {
    ...{ context, headRows: 0 },
    ...stagesOf(subject.options, hooks),
  });
  const method = await methodFor(engine, { model, tokenizer, material }, subject.options, hooks);
  const lesson = await lessonOf(engine, subject, method.model);
  return { engine, subject, method, lesson, options: scheduled(subject.options, subject, lesson) };
};
