/** Pre-training as the options say: the run's directory, its metrics, its checkpoints. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Engine } from "../../engine/engine.ts";
import type { Json, Model } from "../../models/model.ts";
import { countParams, tensorsOf, trainedTensors, type Weight } from "../../nn/param.ts";
import { appendLine } from "../../node/files/checkpoints.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { keepHeapSmall } from "../../node/runtime/heap.ts";
import { taskOf, tasks } from "../../tasks/index.ts";
import type { Lesson, Task } from "../../tasks/task.ts";
import { type MetricsRow, type TrainResult, train } from "../../train/loop.ts";
import type { LrRange } from "../../train/lrRange.ts";
import { defined } from "../../util/defined.ts";
import { parseText } from "../../util/jsonText.ts";
import { entries } from "../../util/tree.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks, Watch } from "../context/hooks.ts";
import type { Progress } from "../context/ui.ts";
import { userData } from "../data/read.ts";
import { recordOptions } from "../data/records.ts";
import type { UserData } from "../data/userData.ts";
import type { Source } from "../model/source.ts";
import { families } from "./families.ts";
import { identity } from "./identity.ts";
import { loopOptions } from "./loopOptions.ts";
import { testLr } from "./lrTest.ts";
import { type Method, methodFor } from "./method.ts";
import { requireTraining, stagesOf } from "./needs.ts";
import { runCheckpoints, shareSteps } from "./ranks.ts";
import { onReplicas } from "./replicas.ts";
import { freshShape, newModel, startOf } from "./start.ts";

/** Losses of a run, nats. */
export interface Curve {
  readonly name: string;
  readonly train: readonly (readonly [step: number, loss: number])[];
  readonly validation: readonly (readonly [step: number, loss: number])[];
  /** What held-out data was judged by, where that is not its loss. */
  readonly figure: readonly (readonly [step: number, value: number])[];
}

const isNumber = (x: unknown): boolean => x === undefined || typeof x === "number";

/** A row of a metrics file; undefined for what a crash tore, whose step is then done again. */
const rowIn = (line: string): (MetricsRow & { readonly run?: string }) | undefined => {
  try {
    const row = parseText(line) as (MetricsRow & { readonly run?: string }) | null;
    const figures = [row?.loss, row?.valLoss, row?.figure, row?.tokens];
    return Number.isSafeInteger(row?.step) && figures.every(isNumber) ? row! : undefined;
  } catch {
    return undefined;
  }
};

/** The rows of run `name` up to a step, as a metrics file has them; of a step seen twice, the later one. */
const earlierRows = (file: string, name: string, last: number): MetricsRow[] => {
  if (!existsSync(file)) return [];
  const rows = new Map<string, MetricsRow>();
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const row = rowIn(line);
    if (row === undefined) continue;
    const kind = row.valLoss === undefined ? "train" : "held";
    if (row.run === name && row.event === undefined && row.step <= last) rows.set(`${kind} ${row.step}`, row);
  }
  return [...rows.values()].sort((a, b) => a.step - b.step);
};

/**
 * Collects a run's curve (with the rows of earlier processes where it was resumed), shows it, appends each
 * row.
 */
export const follow = (name: string, task: Progress, file: string, watch?: Watch) => {
  const train: [number, number][] = [];
  const validation: [number, number][] = [];
  const figure: [number, number][] = [];
  const start = performance.now();
  let before = 0;
  const collect = (row: MetricsRow): void => {
    if (row.valLoss !== undefined) validation.push([row.step, row.valLoss]);
    if (row.figure !== undefined) figure.push([row.step, row.figure]);
    if (row.loss !== undefined) train.push([row.step, row.loss]);
    watch?.row(row);
  };
  const onRow = (row: MetricsRow): void => {
    if (row.event === "resumed") {
      const rows = earlierRows(file, name, row.step);
      for (const earlier of rows) collect(earlier);
      before = rows.reduce((most, { tokens = 0 }) => Math.max(most, tokens), 0);
    }
    const elapsedSec = (performance.now() - start) / 1000;
    appendLine(file, JSON.stringify({ run: name, ...row, elapsedSec }));
    collect(row);
    if (row.loss === undefined || row.tokens === undefined) return;
    const held = validation.at(-1)?.[1].toFixed(3);
    const rate = Math.round((row.tokens - before) / elapsedSec);
    task.update(row.step, { loss: row.loss.toFixed(3), ...(held ? { held } : {}), "tokens/s": rate });
  };
  return { onRow, curve: (): Curve => ({ name, train, validation, figure }) };
};

/** Held-out tokens that training measures itself on; the candidates are measured on more. */
const WATCHED = 16_384;

/** A trained model and its curve. */
export interface Pretrained extends TrainResult {
  readonly curve: Curve;
  /** How it was trained, and the model as it came out of training: its adapters apart. */
  readonly method: Method;
  readonly trained: Model;
  readonly lesson: Lesson;
}

/** How many numbers train, where that is not all of them. */
const trainedText = ({ model, frozen, name }: Method): string => {
  let count = 0;
  for (const [path, { data }] of trainedTensors(model.weights)) if (!frozen(path)) count += data.length;
  const all = countParams(model.weights);
  return count === all ? "" : `, of which ${count} train (${name}, ${((100 * count) / all).toFixed(2)} %)`;
};

/** What a model learns from the user's data. */
const lessonOf = (
  { model, task }: { readonly model: Model; readonly task: Task },
  { material, tokenizer }: UserData,
  options: RunOptions,
): Lesson => {
  const { train: t, model: shape, seed } = options;
  return task.lesson(material, {
    ...{ model, tokenizer, batch: t.batch, context: shape.n_positions, seed },
    ...{ heldOutTokens: WATCHED, wholeWords: t.wholeWords, records: recordOptions(options) },
  });
};

/** The model as a method and its task train it: what learns beside it the method does not freeze. */
const pupilOf = (task: Task, method: Method, seed: number) => {
  const own = { model: method.model, finish: (trained: Model): Model => trained };
  const { model, finish } = task.pupil?.(method.model, seed) ?? own;
  // Weights and their parts are asked for by name.
  const { weights } = method.model;
  const known = new Set([...entries<Weight>(weights), ...tensorsOf(weights)].map(([path]) => path));
  const beside = countParams(model.weights) - countParams(method.model.weights);
  return {
    model,
    finish,
    frozen: (path: string): boolean => known.has(path) && method.frozen(path),
    text: beside === 0 ? "" : `, ${(beside / 1e6).toFixed(2)} M more that learn beside it`,
  };
};

/** Hooks with the folder of the checkpoints, where that is not in OUT/run. */
type TextHooks = RecipeHooks & { readonly checkpoints?: string };

/** Trains `given` on the user's data in OUT/run. */
const pretrain = async (
  engine: Engine,
  given: Model,
  data: UserData,
  options: RunOptions,
  hooks: TextHooks,
): Promise<Pretrained> => {
  const { resume = false, ui, watch } = hooks;
  const { train: t, seed } = options;
  const run = join(options.out, "run");
  const method = await methodFor(engine, { model: given, ...data }, options, hooks);
  const task = taskOf(method.model);
  const pupil = pupilOf(task, method, seed);
  const { model, frozen } = pupil;
  const millions = (countParams(method.model.weights) / 1e6).toFixed(2);
  const { layers } = model.arch.cache(model.config);
  const { shared, ...steps } = shareSteps(t, { model, engine, frozen }, hooks);
  const parts = `${shared === undefined ? "" : `, trained on ${shared}`}${trainedText(method)}${pupil.text}`;
  ui.line(`model: ${model.arch.name}, ${layers} layers, ${millions} M parameters${parts}`);
  for (const note of method.notes ?? []) ui.warn(note);
  const progress = ui.task("training", t.steps);
  const { onRow, curve } = follow("full", progress, join(run, "metrics.jsonl"), watch);
  const lesson = lessonOf({ model, task }, data, options);
  for (const note of lesson.notes ?? []) ui.line(note);
  watch?.begins({ params: countParams(method.model.weights) });
  const loop = loopOptions(t, lesson.context, seed);
  const same = { identity: identity(options, data, model, frozen), model };
  const checkpoints = await runCheckpoints(
    { ...same, dir: hooks.checkpoints ?? join(run, "checkpoints") },
    hooks,
  );
  keepHeapSmall();
  const result = await train(engine, model, lesson.source, {
    ...loop,
    optimizer: method.optimizer(loop.optimizer),
    objective: lesson.objective,
    ...defined({ widths: lesson.widths, judge: lesson.judge }),
    ...steps,
    frozen,
    takesWeights: method.adapter === undefined,
    record: { name: "train", options: { ...t } as Json },
    validation: lesson.heldOut.windows,
    ...{ checkpoints, onRow, resume },
  });
  const loss = result.valLoss === undefined ? "" : `, held-out loss ${result.valLoss.toFixed(3)} nats/token`;
  progress.done(`trained ${result.steps} steps (${result.ended})${loss}`);
  const trained = pupil.finish(result.model);
  const finished = result.ended === "interrupted" ? trained : method.finish(trained);
  return { ...result, model: finished, curve: curve(), method, trained, lesson };
};

/** What training on the user's text made. */
export interface FromText {
  readonly engine: Engine;
  readonly data: UserData;
  readonly trained: Pretrained;
  /** Options with the context that the model takes. */
  readonly options: RunOptions;
  /** What the checkpoint passes on that training began with. */
  readonly source?: Source;
}

/** What is to be trained: it may be refused before anything is read. */
export type Refuse = (model: Pick<Model, "arch" | "config"> & { readonly task: Task }) => void;

/** A model and the user's text before the first step. */
interface TextSubject extends Omit<FromText, "trained"> {
  readonly model: Model;
}

const subjectOf = async (given: RunOptions, hooks: RecipeHooks, refuse: Refuse): Promise<TextSubject> => {
  const engine = await nodeEngine(given.threads > 0 ? { threads: given.threads } : {});
  const { options, from } = await startOf(given, hooks);
  const { arch, config } = from?.model ?? {};
  const shape = arch && config ? ([arch, config] as const) : freshShape(options, options.tokenizer.vocab);
  const task = from === undefined ? tasks[families[options.model.family].task] : taskOf(from.model);
  refuse({ arch: shape[0], config: shape[1], task });
  await requireTraining({ arch: shape[0], config: shape[1] }, options, stagesOf(options, hooks));
  hooks.ui.stage("Reading and cleaning text");
  const tokenizer = from === undefined ? {} : { tokenizer: from.tokenizer };
  const data = await userData(options, hooks, { task, ...tokenizer });
  const model = from?.model ?? newModel(options, data.tokenizer);
  return { engine, data, options, model, ...(from === undefined ? {} : { source: from.source }) };
};

/** From the user's text to a trained model: what quickstart and train begin with. */
export const trainFromText = async (
  given: RunOptions,
  hooks: TextHooks,
  refuse: Refuse = () => {},
): Promise<FromText> => {
  const { model, ...subject } = await subjectOf(given, hooks, refuse);
  hooks.ui.stage("Training");
  return { ...subject, trained: await pretrain(subject.engine, model, subject.data, subject.options, hooks) };
};

/** The learning-rate range test on the user's text; nothing is written. Throws as `trainFromText`. */
export const findLrOnText = async (given: RunOptions, hooks: RecipeHooks): Promise<LrRange> => {
  const { model, engine, data, options } = await subjectOf(given, hooks, () => {});
  hooks.ui.stage("Rising learning rates");
  const plain = await methodFor(engine, { model, ...data }, options, hooks);
  const task = taskOf(plain.model);
  const pupil = pupilOf(task, plain, options.seed);
  const method = { ...plain, model: pupil.model, frozen: pupil.frozen };
  const lesson = lessonOf({ model: method.model, task }, data, options);
  const steppers = onReplicas(options.train, method.model, engine, method.frozen);
  return testLr(engine, { lesson, method, options, ...steppers }, hooks);
};
