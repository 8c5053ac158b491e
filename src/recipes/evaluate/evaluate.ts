/** Quality and speed of a folder's model, as its task has it. */

import { type Probe, probeOf, sizeFigure } from "../../evaluate/probe.ts";
import { writeFileDurable } from "../../node/files/files.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { graphTargetsFrom, type TargetName, targets } from "../../node/targets/index.ts";
import { graphNames } from "../../serve/graphs/graphs.ts";
import { type TaskName, tasks } from "../../tasks/index.ts";
import type { Task } from "../../tasks/task.ts";
import { defined } from "../../util/defined.ts";
import { ConfigError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { firstColumns, recordOptions } from "../data/records.ts";
import { knownFault } from "../verify/parityFile.ts";
import type { Asked, EvalOptions, Evaluation, Prediction, Quality } from "./evaluation.ts";
import { evaluatorOf, evaluators } from "./evaluators.ts";
import { evaluationReport, requireReport, writeReport } from "./report.ts";
import { type Named, named, type Subject, withGraphs } from "./subject.ts";

/** Longest that measuring speed may take, milliseconds. */
const PATIENCE_MS = 600_000;

/** Throws ConfigError for an option that means nothing to the task. */
const requireMeaning = (given: EvalOptions, task: Task): void => {
  if (given.taskFile !== undefined && given.reference === undefined) return;
  const { takes } = evaluatorOf(task);
  const fields = ["limit", "reference", "predictions", "beams"] as const;
  const field = fields.find((each) => given[each] !== undefined && !takes.includes(each));
  if (field === undefined) return;
  const others = Object.entries(evaluators).flatMap(([name, { takes: own }]) =>
    own.includes(field) ? [name] : [],
  );
  throw new ConfigError(`means nothing to a model of ${task.name}`, {
    field,
    hint: `leave it out: it is for ${others.join(", ")}`,
  });
};

/** Throws ConfigError for options of a run that the task would pass over in silence. */
const requireTaken = ({ task: given, data }: RunOptions, { name, records, reads }: Task): void => {
  const refuse = (field: string, hint: string): never => {
    throw new ConfigError(`means nothing to a model of ${name}`, { field, hint });
  };
  const said = { dims: given.dims.length > 0, prefix: given.prefix !== "" };
  for (const field of ["dims", "prefix"] as const) {
    if (!said[field] || records?.takes.includes(field)) continue;
    const others = Object.values<Task>(tasks).filter((task) => task.records?.takes.includes(field));
    refuse(`task.${field}`, `leave it out: it is for ${others.map((task) => task.name).join(", ")}`);
  }
  if (data.validation.length > 0 && !reads.includes("pairs")) {
    refuse("data.validation", "name what is measured with --data");
  }
};

/** Writes JSON lines. */
const savePredictions = async (path: string, predictions: readonly Prediction[]): Promise<void> => {
  const lines = predictions.map((each) => `${JSON.stringify(each)}\n`);
  await writeFileDurable(path, [new TextEncoder().encode(lines.join(""))]);
};

/** What a model's evaluator finds of its graphs, told and written as the options say. */
export const measureQuality = async (asked: Asked): Promise<Quality> => {
  const { subject, given, hooks } = asked;
  if (!subject.shipped) {
    const { adapters = [], dir, dtype } = subject;
    const why = adapters.length > 0 ? `adapters stand on ${dir}` : `${dir} has no ${dtype} graph`;
    hooks.ui.line(`${why}: one is made of its weights`);
  }
  const { taskFile } = given;
  const quality =
    taskFile === undefined
      ? await evaluatorOf(subject.task).measure(asked)
      : await (await import("./harness/evaluateTask.ts")).evaluateTask(asked, taskFile);
  hooks.ui.line(`measured on ${quality.measuredOn}`);
  if (given.predictions !== undefined) await savePredictions(given.predictions, quality.predictions ?? []);
  return quality;
};

/**
 * What a decoder's data ask of it, where they are chats or preferences: not all of their text is measured
 * then.
 */
const answering = async (
  { task }: Named,
  { options, compared }: { readonly options: RunOptions; readonly compared: boolean },
  hooks: RecipeHooks,
): Promise<Task | undefined> => {
  if (task.name !== "causal-lm" || options.data.paths.length === 0) return undefined;
  const columns = await firstColumns(options, hooks);
  if (columns === undefined) return undefined;
  const fits = ({ records }: Task) => (records?.fits(columns, recordOptions(options)) ?? 0) > 0;
  // A label beside an answer judges it where there is a model to compare with; else the answers are learnt.
  return [tasks.dpo, ...(compared ? [tasks.kto] : []), tasks.sft].find(fits);
};

/**
 * The model with the task that the user names, where it is one of a model with that head. Throws
 * ConfigError.
 */
const asTold = async (
  model: Named,
  how: { readonly options: RunOptions; readonly compared: boolean },
  hooks: RecipeHooks,
): Promise<Named> => {
  const { name } = how.options.task;
  if (name === "") return { ...model, task: (await answering(model, how, hooks)) ?? model.task };
  const task: Task = tasks[name as TaskName];
  if (task.heads.some((head) => model.task.heads.includes(head))) return { ...model, task };
  throw new ConfigError(`${name} is no task of a model of ${model.task.name}`, {
    field: "task.name",
    hint: "leave --task out, or name another",
  });
};

/**
 * Opens the model that is evaluated, with the task that the options and the data make of it. Throws
 * ConfigError for an option that means nothing to it.
 */
export const openEvaluated = async (
  ref: string,
  { given, options }: Pick<Asked, "given" | "options">,
  hooks: RecipeHooks,
): Promise<Named> => {
  const found = await named(
    ref,
    defined({ dtype: given.dtype, hub: hooks.hub, adapters: options.model.adapters }),
  );
  const how = { options, compared: given.reference !== undefined };
  const model = given.taskFile === undefined ? await asTold(found, how, hooks) : found;
  requireMeaning(given, model.task);
  requireTaken(options, model.task);
  const fault = await knownFault(model.dir, model.dtype, graphNames[model.arch.kind]);
  if (fault !== undefined) hooks.ui.warn(fault);
  return model;
};

/** Speed and memory of graphs on a target. Throws MissingError where that is not on this machine. */
const speedAt = async (
  { target, threads }: { readonly target: TargetName; readonly threads: number },
  subject: Subject,
  vocab: number,
): Promise<Probe> => {
  const place = await targets[target].open({ threads, timeoutMs: PATIENCE_MS, software: true });
  try {
    return await place.probe(subject, probeOf(subject, vocab));
  } finally {
    await place.close();
  }
};

/**
 * Evaluates a model by the graphs that its folder ships in one dtype, else by those made of its weights.
 * Throws ConfigError for a model whose task is not known and for an option that means nothing to it,
 * DataError for data that the task cannot be measured on.
 */
export const evaluateFolder = async (
  ref: string,
  given: EvalOptions,
  options: RunOptions,
  hooks: RecipeHooks,
): Promise<Evaluation> => {
  const model = await openEvaluated(ref, { given, options }, hooks);
  const { dtype, task, tokenizer } = model;
  const [target] = graphTargetsFrom([given.target ?? "node-cpu"], "--target") as [TargetName];
  if (given.report !== undefined) requireReport(given.report);
  const engine = await nodeEngine(options.threads > 0 ? { threads: options.threads } : {});
  return withGraphs(engine, model, async (subject) => {
    const quality = await measureQuality({ engine, subject, given, options, hooks });
    const { measuredOn, figures } = quality;
    const { sizeBytes, shipped } = subject;
    if (given.report !== undefined) {
      const about = { graphs: `${dtype}, ${shipped ? "the folder's own" : "made of its weights"}`, options };
      await writeReport(given.report, evaluationReport(ref, { task: task.name, quality, ...about }, hooks));
      hooks.ui.line(`report: ${given.report}`);
    }
    const at = { target, threads: engine.threads };
    const { figures: speed, ...lengths } = await speedAt(at, subject, tokenizer.vocabSize);
    return {
      ...{ model: ref, task: task.name, dtype, graphs: shipped ? "shipped" : "made", measuredOn },
      figures: { ...figures, ...sizeFigure(sizeBytes), ...speed },
      ...lengths,
    };
  });
};
