/** From a trained model to a shipped one: candidates are made, measured, judged; the best is delivered. */
import { join } from "node:path";
import type { Context } from "../../compress/pass.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Model } from "../../models/model.ts";
import { doubtNotes } from "../../search/doubts.ts";
import { figureNamed, measuredValue, writtenValue } from "../../search/figures.ts";
import { type Candidate, type Optimized, type OptimizeOptions, optimize } from "../../search/optimize.ts";
import { taskOf } from "../../tasks/index.ts";
import { budgetOf } from "../config/budget.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import type { UserData } from "../data/userData.ts";
import { calibrationOf } from "../model/calibration.ts";
import type { Source } from "../model/source.ts";
import { type Curve, follow } from "../train/pretrain.ts";
import { onReplicas } from "../train/replicas.ts";
import { type Delivered, deliver } from "./deliver.ts";
import { judgeOn } from "./judge.ts";
import { faultNotes } from "./notes.ts";
import { targetsNamed, withPlaces } from "./places.ts";
import { lessonOf, teaching } from "./teaching.ts";

/** What the whole way made. */
export interface Outcome {
  readonly optimized: Optimized;
  readonly delivered: Delivered;
  readonly data: UserData;
}

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

/** What a run has besides its options: where words go, what was trained before, what it began with. */
type Hooks = RecipeHooks & { readonly curves: readonly Curve[]; readonly source?: Source };

/** Makes, measures, judges and chooses, telling of each candidate. */
const searched = async (
  engine: Engine,
  model: Model,
  data: UserData,
  options: RunOptions,
  { ui, signal }: Hooks,
): Promise<{ readonly optimized: Optimized; readonly curve: Curve }> => {
  const { train: t, distill: d, seed } = options;
  const task = taskOf(model);
  const lesson = lessonOf(model, data, options);
  const { targets, ...stated } = budgetOf(options.budget, { ...model, task });
  const asked = { task, lesson, ...stated };
  const progress = ui.task("distilling", d.steps);
  const student = follow("distilled", progress, join(options.out, "run", "metrics.jsonl"));
  let announced = false;
  const context: Context = {
    ...{ engine, seed, calibration: calibrationOf(data.tokenizer), log: (line) => ui.line(line) },
    ...(signal ? { signal } : {}),
  };
  const where = { targets: targetsNamed(targets), threads: engine.threads, vocab: data.tokenizer.vocabSize };
  const distill = {
    ...teaching(options, lesson, signal),
    ...onReplicas(t, model, engine),
    onRow: student.onRow,
  };
  const onCandidate = (c: Candidate): void => {
    if (!announced) progress.done("distilled the student");
    announced = true;
    ui.line(candidateLine(c, asked));
  };
  const optimized = await withPlaces(where, (probe) => {
    const keep = d.layers > 0 ? { keep: d.layers } : {};
    return optimize(
      model,
      { ...asked, ...keep, distill, probe, judge: judgeOn(engine, data), onCandidate },
      context,
    );
  });
  return { optimized, curve: student.curve() };
};

/** From a trained model to a shipped one: the part that quickstart and optimize share. */
export const compressAndShip = async (
  engine: Engine,
  model: Model,
  data: UserData,
  options: RunOptions,
  hooks: Hooks,
): Promise<Outcome> => {
  const { ui, command, source } = hooks;
  ui.stage("Making and measuring candidates");
  const { optimized, curve } = await searched(engine, model, data, options, hooks);
  const { task, doubts } = optimized;
  for (const text of [...faultNotes(optimized), ...doubtNotes(doubts, task.criterion)]) ui.warn(text);
  ui.stage("Shipping");
  const curves = [...hooks.curves, curve];
  const from = source === undefined ? {} : { source };
  const delivered = await deliver(engine, { optimized, data, curves, options, command, ...from });
  return { optimized, delivered, data };
};
