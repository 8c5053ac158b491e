/**
 * Fine-tuning: a checkpoint and records in, a specialised model's folder out. Nothing here knows a task or
 * a method by its name.
 */
import { join } from "node:path";
import type { Engine } from "../../engine/engine.ts";
import type { Json, Model } from "../../models/model.ts";
import { countParams } from "../../nn/param.ts";
import { writeFolder } from "../../node/files/checkpoints.ts";
import { keepHeapSmall } from "../../node/runtime/heap.ts";
import { trainedCard } from "../../report/run/sourceCard.ts";
import { type AllForms, formsOf } from "../../search/candidates/candidate.ts";
import { generationIn, jsonBytes } from "../../ship/onnx/files.ts";
import { modelFolder } from "../../ship/onnx/modelFolder.ts";
import type { Lesson } from "../../tasks/task.ts";
import { type TrainResult, train } from "../../train/loop.ts";
import { defined } from "../../util/defined.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { version } from "../context/version.ts";
import { calibrationOf } from "../model/calibration.ts";
import { writeAdapter } from "../train/adapterFolder.ts";
import { type Gain, gainOf, gainText } from "../train/gain.ts";
import { identity } from "../train/identity.ts";
import { loopOptions } from "../train/loopOptions.ts";
import type { Method } from "../train/method.ts";
import { type Curve, follow } from "../train/pretrain.ts";
import { isFirst, runCheckpoints, takePlace } from "../train/ranks.ts";
import { doubtsOf } from "./doubts.ts";
import { steppersOf } from "./lesson.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { reportOn } from "./report.ts";
import type { Subject } from "./subject.ts";

/** The fine-tuned model's folder, and how the run ended. */
export interface Finetuned {
  readonly path: string;
  readonly task: string;
  readonly steps: number;
  readonly bestStep: number;
  readonly ended: string;
  /** Held-out loss, nats. */
  readonly valLoss?: number;
  /** Remarks on a run in which little was learnt. */
  readonly notes?: readonly string[];
  /** A page about the model: figures, surest errors, how sure it is. */
  readonly report?: string;
  /** The trained adapter's folder, and what is left of its gain in what is shipped. */
  readonly adapter?: string;
  readonly gain?: Gain;
  /** The task's first figure on held-out records. */
  readonly figure?: { readonly name: string; readonly value: number };
}

const tell = (
  { data, model }: Subject,
  lesson: Lesson,
  options: RunOptions,
  { ui, watch }: RecipeHooks,
): void => {
  watch?.begins({ params: countParams(model.weights), ...defined({ judge: lesson.judge }) });
  const { steps, lrPeak, warmup, evalEvery } = options.train;
  const millions = (countParams(model.weights) / 1e6).toFixed(2);
  const { layers } = model.arch.cache(model.config);
  ui.line(`model: ${model.arch.name}, ${layers} layers, ${millions} M parameters`);
  for (const note of lesson.notes ?? []) ui.line(note);
  ui.line(`first example: ${data.first}`);
  ui.line(`${steps} updates (${warmup} of warm-up to ${lrPeak}), measured every ${evalEvery}`);
};

/** A trained model, and how it got there. */
interface Tuned extends TrainResult {
  readonly lesson: Lesson;
  readonly curve: Curve;
  /** Remarks on a run in which little was learnt. */
  readonly notes: readonly string[];
  /** Options with the steps and rates that the data and the model decide. */
  readonly options: RunOptions;
}

const tune = async (
  { engine, subject, method, lesson, options }: Prepared,
  hooks: RecipeHooks,
  dir: string,
): Promise<Tuned> => {
  const { train: t, seed } = options;
  tell(subject, lesson, options, hooks);
  for (const note of method.notes ?? []) hooks.ui.warn(note);
  const run = join(options.out, "run");
  const progress = hooks.ui.task("training", t.steps);
  const { onRow, curve } = follow(method.name, progress, join(run, "metrics.jsonl"), hooks.watch);
  const { model, frozen } = method;
  const { shared, ...steps } = steppersOf(options, lesson, { subject, method, engine }, hooks);
  if (shared !== undefined) hooks.ui.line(`trained on ${shared}`);
  const loop = loopOptions(t, lesson.context, seed);
  const same = { identity: identity(options, subject.data, model, frozen), model };
  const checkpoints = await runCheckpoints({ ...same, dir }, hooks);
  keepHeapSmall();
  const result = await train(engine, model, lesson.source, {
    ...loop,
    optimizer: method.optimizer(loop.optimizer),
    ...(lesson.widths === undefined ? {} : { widths: lesson.widths }),
    ...(lesson.judge === undefined ? {} : { judge: lesson.judge }),
    objective: lesson.objective,
    ...steps,
    frozen,
    takesWeights: method.adapter === undefined,
    record: { name: "finetune", options: { task: subject.task.name, method: method.options, ...t } as Json },
    validation: lesson.heldOut.windows,
    ...{ checkpoints, onRow, resume: hooks.resume ?? false },
  });
  const figure = result.figure === undefined ? "" : `, ${lesson.judge!.name} ${result.figure.toFixed(4)}`;
  const loss =
    result.valLoss === undefined
      ? ""
      : `; best at ${result.bestStep}: held-out loss ${result.valLoss.toFixed(4)}`;
  progress.done(`trained ${result.steps} steps (${result.ended})${loss}${figure}`);
  const epoch = Math.ceil((lesson.epoch ?? 100) / t.accumulate);
  const learnt = { curve: curve(), lr: t.lrPeak, epoch, held: subject.data.material.validation };
  const isAccuracy = lesson.judge?.name === "accuracy" && result.figure !== undefined;
  const notes = doubtsOf({ ...learnt, ...(isAccuracy ? { accuracy: result.figure } : {}) });
  if (result.ended !== "interrupted") for (const note of notes) hooks.ui.warn(note);
  return { ...result, lesson, curve: curve(), options, notes };
};

/** Writes OUT/model. */
const write = async (
  engine: Engine,
  { data, tokenizer, source, options, task }: Subject,
  { model, steps, valLoss, figure, lesson }: Tuned,
  { command, ui }: RecipeHooks,
): Promise<{ readonly path: string; readonly forms: AllForms }> => {
  const context = { engine, seed: options.seed, calibration: calibrationOf(tokenizer), log: () => {} };
  const forms = await formsOf(model, context);
  const { eos } = tokenizer;
  const files = modelFolder(model, { dtype: "fp32", tokenizer: tokenizer.files(), eos, forms, source });
  const judged = figure === undefined ? {} : { figure: { name: lesson.judge!.name, value: figure } };
  const card = trainedCard(model, {
    ...{ steps, generation: generationIn(files), source: source.card, valLoss, unit: task.lossUnit },
    ...judged,
  });
  files.set("README.md", [new TextEncoder().encode(card)]);
  const made = { version, command, recipe: options, history: model.history };
  files.set("anneal.json", [jsonBytes(made)]);
  const path = join(options.out, "model");
  await writeFolder(path, files);
  ui.line(`${data.held.length} records were held out and are not in the model`);
  return { path, forms };
};

/**
 * Writes OUT/adapter where adapters were trained, and measures what merging and rounding leave of their
 * gain.
 */
const shipAdapter = async (
  engine: Engine,
  { options, method, ref }: { readonly options: RunOptions; readonly method: Method; readonly ref: string },
  made: { readonly tuned: Model; readonly lesson: Lesson; readonly forms: AllForms },
  { command, ui }: RecipeHooks,
): Promise<Pick<Finetuned, "adapter" | "gain">> => {
  if (method.adapter === undefined) return {};
  const adapter = join(options.out, "adapter");
  const from = { ...options, model: { ...options.model, from: ref } };
  await writeAdapter(adapter, method, made.tuned, { options: from, command });
  const { heldOut, objective } = made.lesson;
  const gain = await gainOf(engine, {
    ...{ base: method.adapter.base, tuned: method.adapter.unmerged(made.tuned), forms: made.forms },
    ...{ windows: heldOut.windows, objective },
  });
  ui.line(gainText(gain));
  return { adapter, gain };
};

/**
 * Fine-tunes the model that `ref` names on the user's records; undefined when interrupted, and on ranks after
 * the first.
 */
export const finetune = async (
  ref: string,
  given: RunOptions,
  hooks: RecipeHooks,
): Promise<Finetuned | undefined> => {
  const { options, checkpoints, release } = await takePlace(given, hooks);
  try {
    const prepared = await prepare(ref, options, hooks);
    const { engine, subject, method } = prepared;
    hooks.ui.stage("Training");
    const tuned = await tune(prepared, hooks, checkpoints);
    if (tuned.ended === "interrupted" || !isFirst(hooks)) return undefined;
    const finished = await method.finish(tuned.model);
    hooks.ui.stage("Writing the model");
    const { path, forms } = await write(engine, subject, { ...tuned, model: finished }, hooks);
    const report = await reportOn(engine, { subject, method, path, ref, run: tuned }, hooks);
    const { steps, bestStep, ended, valLoss, figure, lesson } = tuned;
    const made = { tuned: tuned.model, lesson, forms };
    const adapter = await shipAdapter(engine, { options: subject.options, method, ref }, made, hooks);
    return {
      ...{ path, task: subject.task.name, steps, bestStep, ended, ...adapter },
      ...(report === undefined ? {} : { report }),
      ...(tuned.notes.length > 0 ? { notes: tuned.notes } : {}),
      ...(valLoss === undefined ? {} : { valLoss }),
      ...(figure === undefined ? {} : { figure: { name: lesson.judge!.name, value: figure } }),
    };
  } finally {
    await release();
  }
};
