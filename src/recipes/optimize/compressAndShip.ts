/** From a trained model to a shipped one: candidates are made, measured, judged; the best is delivered. */
import { join } from "node:path";
import { calibrationBatches } from "../../compress/calibration/batches.ts";
import type { Context } from "../../compress/pass.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { doubtNotes } from "../../search/doubts.ts";
import { figureNamed, measuredValue, writtenValue } from "../../search/figures.ts";
import type { Candidate, TrialRecord } from "../../search/candidates/candidate.ts";
import { type Optimized, optimize } from "../../search/candidates/optimize.ts";
import type { OptimizeOptions } from "../../search/candidates/run.ts";
import { baseName, cuttableOf } from "../../search/candidates/space.ts";
import type { Space, Values } from "../../search/space/space.ts";
import { taskOf } from "../../tasks/index.ts";
import type { MetricsRow } from "../../train/loop.ts";
import { budgetOf } from "../config/budget.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import type { UserData } from "../data/userData.ts";
import { calibrationOf } from "../model/calibration.ts";
import { windowsOf } from "../quantize/material.ts";
import type { Source } from "../model/source.ts";
import { type Curve, follow } from "../train/pretrain.ts";
import { onReplicas } from "../train/replicas.ts";
import { clockOf } from "./clock.ts";
import { type Delivered, deliver } from "./deliver.ts";
import { frontIn } from "./front.ts";
import { judgeOn } from "./judge.ts";
import { faultNotes } from "./notes.ts";
import { targetsNamed, withPlaces } from "./places.ts";
import { isWide, samplerOf, searchIdentity, spaceOf } from "./space.ts";
import { openStore } from "./store.ts";
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
type Hooks = RecipeHooks & {
  readonly curves: readonly Curve[];
  readonly source?: Source;
  /** When the run began, on performance.now()'s clock. */
  readonly startedMs: number;
};

/** Text that smaller models are fitted on, and its longest window, tokens. */
const [FITTED_ON, WINDOW] = [8192, 128];

/** Shows each smaller model as it learns, and keeps its curve. */
const teachers = (space: Space, model: Model, options: RunOptions, ui: RecipeHooks["ui"]) => {
  const curves = new Map<string, () => Curve>();
  let open: (() => void) | undefined;
  const done = (): void => {
    open?.();
    open = undefined;
  };
  const watch = (values: Values, steps: number) => {
    let onRow: ((row: MetricsRow) => void) | undefined;
    return (row: MetricsRow): void => {
      if (onRow === undefined) {
        done();
        const name = baseName(space, values, cuttableOf(model).layers);
        const progress = ui.task(`teaching ${name}`, steps);
        const student = follow(name, progress, join(options.out, "run", "metrics.jsonl"));
        open = () => progress.done(`taught ${name}`);
        curves.set(name, student.curve);
        onRow = student.onRow;
      }
      onRow(row);
    };
  };
  return { watch, done, curves: () => Array.from(curves.values(), (curve) => curve()) };
};

/** The options of a run whose smaller model is taught as a configuration says. */
const taughtBy = (options: RunOptions, { steps, lr, alpha, temperature }: Values): RunOptions => {
  const { distill } = options;
  const own = { steps, lrPeak: lr, alpha, temperature };
  const told = Object.entries(own).filter(([, value]) => typeof value === "number");
  return { ...options, distill: { ...distill, ...Object.fromEntries(told) } };
};

const givenUpLine = ({ name, stage, why }: TrialRecord): string =>
  `${name}: ${stage === "rung" ? "stopped" : stage === "failed" ? "failed" : "not made"}: ${why}`;

/** Text that smaller models are fitted on, as batches. */
const batchesOf = (model: Model, { material }: UserData, { seed }: RunOptions): Tensor[] => {
  const length = Math.max(1, Math.min(WINDOW, model.arch.cache(model.config).positions - 1));
  return calibrationBatches(model, windowsOf(material, { length, tokens: FITTED_ON, seed }), FITTED_ON);
};

/** Makes, measures, judges and chooses, telling of each candidate. */
const searched = async (
  engine: Engine,
  model: Model,
  data: UserData,
  options: RunOptions,
  hooks: Hooks,
): Promise<{ readonly optimized: Optimized; readonly curves: readonly Curve[] }> => {
  const { ui, signal, source, command } = hooks;
  const { train: t, seed, search } = options;
  const task = taskOf(model);
  const lesson = lessonOf(model, data, options);
  const { targets, ...stated } = budgetOf(options.budget, { ...model, task });
  const space = spaceOf(options, model, stated.budget);
  const asked = { task, lesson, space, ...stated };
  const students = teachers(space, model, options, ui);
  const wide = isWide(options);
  const context: Context = {
    ...{ engine, seed, calibration: calibrationOf(data.tokenizer), log: (line) => ui.line(line) },
    ...(signal ? { signal } : {}),
  };
  const where = { targets: targetsNamed(targets), threads: engine.threads, vocab: data.tokenizer.vocabSize };
  const taught = (values: Values) => {
    const own = teaching(taughtBy(options, values), lesson, signal);
    return { ...own, ...onReplicas(t, model, engine), onRow: students.watch(values, own.steps) };
  };
  const keeping = await openStore({
    ...{ run: join(options.out, "run"), whole: model, resume: hooks.resume ?? false },
    identity: searchIdentity(options, data, model, space),
    onWarning: (text) => ui.warn(text),
  });
  const front = frontIn({ ...{ engine, data, options, command }, ...(source ? { source } : {}) });
  const clock = clockOf(search.timeSec, hooks.startedMs);
  try {
    const optimized = await withPlaces(where, async (probe) => {
      const found = await optimize(
        model,
        {
          ...{ ...asked, teaching: taught, probe, judge: judgeOn(engine, data), keeping, until: clock.until },
          ...{ batches: batchesOf(model, data, options), spares: wide },
          ...(wide ? { sampler: samplerOf(options, space) } : {}),
          ...(search.trials > 0 ? { trials: search.trials } : {}),
          onCandidate: (c) => {
            students.done();
            ui.line(candidateLine({ ...c, onFront: false }, asked));
          },
          onGivenUp: (record) => {
            students.done();
            ui.line(givenUpLine(record));
          },
          onBase: async (bases, standing) => {
            if (!wide) return;
            await clock.shipping(() => front.update(bases, standing));
          },
        },
        context,
      );
      if (wide) await front.complete(found);
      return found;
    });
    return { optimized, curves: students.curves() };
  } finally {
    clock.stop();
  }
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
  const { optimized, curves: taught } = await searched(engine, model, data, options, hooks);
  const { task, doubts } = optimized;
  for (const text of [...faultNotes(optimized), ...doubtNotes(doubts, task.criterion)]) ui.warn(text);
  ui.stage("Shipping");
  const curves = [...hooks.curves, ...taught];
  const from = source === undefined ? {} : { source };
  const delivered = await deliver(engine, { optimized, data, curves, options, command, ...from });
  return { optimized, delivered, data };
};
