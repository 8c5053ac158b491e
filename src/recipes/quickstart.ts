/**
 * The whole way in one recipe: raw text -> tokens -> a trained model -> candidates -> the best under a
 * budget, shipped.
 */
import { join } from "node:path";
import type { Context } from "../compress/pass.ts";
import type { Engine } from "../engine/engine.ts";
import { probeOf, sizeFigure } from "../evaluate/probe.ts";
import type { Model } from "../models/model.ts";
import { probe } from "../node/runtime/probe.ts";
import { optimizers } from "../optim/index.ts";
import { scheduleOf } from "../optim/schedule.ts";
import { doubtNotes } from "../search/doubts.ts";
import { figureNamed, measuredValue, writtenValue } from "../search/figures.ts";
import {
  type Candidate,
  type Optimized,
  type OptimizeOptions,
  optimize,
  type ProbeModel,
} from "../search/optimize.ts";
import { taskOf } from "../tasks/index.ts";
import type { Lesson } from "../tasks/task.ts";
import { budgetOf } from "./config/budget.ts";
import { checkStudent } from "./config/check.ts";
import type { RunOptions } from "./config/options.ts";
import type { RecipeHooks } from "./context/hooks.ts";
import type { UserData } from "./data/userData.ts";
import { calibrationOf } from "./model/calibration.ts";
import type { Source } from "./model/source.ts";
import { type Delivered, deliver } from "./optimize/deliver.ts";
import { judgeOn, onGraphFiles } from "./optimize/judge.ts";
import { faultNotes } from "./optimize/notes.ts";
import { type Curve, follow, trainFromText } from "./train/pretrain.ts";
import { onReplicas } from "./train/replicas.ts";
import { takeRun } from "./train/takeRun.ts";

/** What the whole way made. */
export interface Outcome {
  readonly optimized: Optimized;
  readonly delivered: Delivered;
  readonly data: UserData;
}

/** Measures in a process of its own, from files that are gone afterwards. */
export const probeIn =
  (engine: Engine, vocab: number): ProbeModel =>
  (model: Model) =>
    onGraphFiles(model, async (graphs, sizeBytes) => {
      const { figures } = await probe({ ...probeOf(model, vocab), graphs, threads: engine.threads });
      const there = Object.entries(figures).map(([name, figure]) => [`node-cpu/${name}`, figure]);
      return { ...sizeFigure(sizeBytes), ...Object.fromEntries(there) };
    });

/** Tells of a candidate as it is measured. */
const candidateLine = (candidate: Candidate, { figures }: Pick<OptimizeOptions, "figures">): string => {
  const [criterion] = figures;
  const told = [criterion!.name, "p50Ms", "sizeBytes"].map((name) => {
    const figure = figureNamed(figures, name)!;
    const words = figure === criterion ? figure.label : figure.unit;
    return `${writtenValue(figure, measuredValue(candidate, figure.name))} ${words}`;
  });
  return `${candidate.name}: ${told.join(", ")}`;
};

/** How the student is distilled, as the options say. */
const teaching = (options: RunOptions, { context, heldOut }: Lesson, signal?: AbortSignal) => {
  const { distill: d, train: t, seed } = options;
  return {
    steps: d.steps,
    batch: t.batch,
    context,
    optimizer: optimizers.adamw({ weightDecay: t.weightDecay }),
    schedule: scheduleOf({
      kind: "cosine",
      lrPeak: d.lrPeak,
      lrMin: d.lrPeak / 10,
      warmup: Math.min(20, d.steps),
      steps: d.steps,
    }),
    seed,
    clipNorm: 1,
    evalEvery: Math.max(1, Math.floor(d.steps / 3)),
    alpha: d.alpha,
    temperature: d.temperature,
    validation: heldOut.windows,
    ...(signal === undefined ? {} : { signal }),
  };
};

/** What the student learns from, and all are measured on. */
const lessonOf = (
  model: Model,
  { material, tokenizer }: UserData,
  { train: t, model: shape, seed }: RunOptions,
) =>
  taskOf(model).lesson(material, {
    ...{ model, tokenizer, batch: t.batch, context: shape.n_positions, seed: seed + 1 },
    ...{ heldOutTokens: 32_768, wholeWords: t.wholeWords },
  });

/** From a trained model to a shipped one: the part that quickstart and optimize share. */
export const compressAndShip = async (
  engine: Engine,
  model: Model,
  data: UserData,
  options: RunOptions,
  hooks: RecipeHooks & { readonly curves: readonly Curve[]; readonly source?: Source },
): Promise<Outcome> => {
  const { ui, signal } = hooks;
  const { train: t, distill: d, seed } = options;
  const task = taskOf(model);
  const lesson = lessonOf(model, data, options);
  ui.stage("Making and measuring candidates");
  const progress = ui.task("distilling", d.steps);
  const student = follow("distilled", progress, join(options.out, "run", "metrics.jsonl"));
  const { budget, figures } = budgetOf(options.budget, { ...model, task });
  const asked = { task, lesson, budget, figures };
  let announced = false;
  const context: Context = {
    engine,
    seed,
    calibration: calibrationOf(data.tokenizer),
    log: (line) => ui.line(line),
    ...(signal ? { signal } : {}),
  };
  const optimized = await optimize(
    model,
    {
      ...asked,
      ...(d.layers > 0 ? { keep: d.layers } : {}),
      distill: {
        ...teaching(options, lesson, signal),
        ...onReplicas(t, model, engine),
        onRow: student.onRow,
      },
      probe: probeIn(engine, data.tokenizer.vocabSize),
      judge: judgeOn(engine, data),
      onCandidate: (c) => {
        if (!announced) progress.done("distilled the student");
        announced = true;
        ui.line(candidateLine(c, asked));
      },
    },
    context,
  );
  for (const text of [...faultNotes(optimized), ...doubtNotes(optimized.doubts, task.criterion)])
    ui.warn(text);
  ui.stage("Shipping");
  const curves = [...hooks.curves, student.curve()];
  const { command, source } = hooks;
  const from = source === undefined ? {} : { source };
  const delivered = await deliver(engine, { optimized, data, curves, options, command, ...from });
  return { optimized, delivered, data };
};

/** Runs everything; undefined when it was interrupted (a checkpoint is then in OUT/run). */
export const quickstart = async (given: RunOptions, hooks: RecipeHooks): Promise<Outcome | undefined> => {
  const { from, n_layer } = given.model;
  if (from === "") checkStudent(given, n_layer);
  const unlock = await takeRun(given.out);
  try {
    const { engine, data, trained, options, source } = await trainFromText(given, hooks, (model) => {
      budgetOf(given.budget, model);
    });
    if (trained.ended === "interrupted") return undefined;
    return await compressAndShip(engine, trained.model, data, options, {
      ...hooks,
      curves: [trained.curve],
      ...(source === undefined ? {} : { source }),
    });
  } finally {
    await unlock();
  }
};
