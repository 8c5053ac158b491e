/** OUT/report.html: what the shipped model says of the held-out records, and how the run went. */
import { basename, join, resolve } from "node:path";
import type { Engine } from "../../engine/engine.ts";
import { countParams } from "../../nn/param.ts";
import { percent } from "../../render/figures.ts";
import type { Facts, TunedReport } from "../../report/tuned/report.ts";
import type { Lesson } from "../../tasks/task.ts";
import type { TrainResult } from "../../train/loop.ts";
import { widthKey, widthOptions } from "../../train/width.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import type { Quality } from "../evaluate/evaluation.ts";
import { evaluatorOf } from "../evaluate/evaluators.ts";
import { provenanceOf, requireReport, saidIn, writeReport } from "../evaluate/report.ts";
import { named, withGraphs } from "../evaluate/subject.ts";
import type { Method } from "../train/method.ts";
import type { Curve } from "../train/pretrain.ts";
import type { Subject } from "./subject.ts";

/** Held-out records that are measured one by one, and answers that are written. */
const MOST = { encoder: 1000, decoder: 200, seq2seq: 200 } as const;
const SAMPLES = 3;

/** A run that has ended, and where its model is. */
export interface Ended {
  readonly subject: Subject;
  readonly method: Method;
  /** The model's folder. */
  readonly path: string;
  /** The model that was tuned. */
  readonly ref: string;
  readonly run: TrainResult & {
    /** What the figures call for. */
    readonly notes: readonly string[];
    readonly lesson: Lesson;
    readonly curve: Curve;
    readonly options: RunOptions;
  };
}

/** What the folder's model says of the held-out records. */
const measured = async (
  engine: Engine,
  { subject, path, ref, run }: Ended,
  hooks: RecipeHooks,
): Promise<Quality> => {
  const found = await named(path, { dtype: "fp32" });
  const { task, data } = subject;
  const { options } = run;
  const rows = data.held.slice(0, MOST[found.arch.kind]);
  const evaluator = evaluatorOf(task);
  const given = {
    report: "",
    ...(evaluator.compares ? { reference: ref } : {}),
    ...(evaluator.writes ? { limit: SAMPLES } : {}),
  };
  const referenceAdapters = options.model.adapters;
  return withGraphs(engine, { ...found, task }, (asked) =>
    evaluator.measure({ engine, subject: asked, given, options, hooks, rows, referenceAdapters }),
  );
};

const trainingFacts = ({ method, run, subject }: Ended): Facts => {
  const { train: t } = run.options;
  const figure = run.figure === undefined ? [] : [[run.lesson.judge!.name, run.figure.toFixed(4)] as const];
  return [
    ["updates", `${run.steps} of ${t.steps} (${run.ended}); the weights of update ${run.bestStep} were kept`],
    ...(run.valLoss === undefined
      ? []
      : [
          [
            "held-out loss",
            `${run.valLoss.toFixed(4)} ${subject.task.lossUnit ?? "nats per token"}`,
          ] as const,
        ]),
    ...figure,
    ["batch", t.accumulate > 1 ? `${t.batch} x ${t.accumulate} micro-batches` : String(t.batch)],
    ["learning rate", `${t.lrPeak}, ${t.schedule}, after ${t.warmup} updates of warm-up`],
    ["optimizer", `${t.optimizer}, weight decay ${t.weightDecay}`],
    ["method", method.name],
    ["parameters", String(countParams(subject.model.weights))],
    ["begun with", run.options.model.from],
  ];
};

const recordFacts = ({ run, subject }: Ended): Facts => {
  const { material, tokens, skipped, cut, held } = subject.data;
  const read = subject.reading.notes.map((note) => ["read as", note.replace(/^records: /, "")] as const);
  const { padding, widths } = run.lesson;
  const { n_positions } = run.options.model;
  return [
    ...read,
    ["to train on", `${material.train.length} (${tokens.train} tokens)`],
    ["held out", String(held.length)],
    ["cut", `${cut} at ${n_positions} tokens`],
    ["left out", skipped.length === 0 ? "0" : `${skipped.length}, the first: ${skipped[0]}`],
    ...(padding === undefined ? [] : [["padding", percent(padding)] as const]),
    ...(widths === undefined
      ? []
      : [["widths of batches", widths.map((width) => widthKey(widthOptions(width))).join(", ")] as const]),
  ];
};

/** The page of a run. */
export const runReport = (
  ended: Ended,
  quality: Quality,
  { command, notes }: { readonly command: string; readonly notes: readonly string[] },
): TunedReport => {
  const { subject, run } = ended;
  const judge = run.lesson.judge?.name;
  const measuredOn = `${quality.measuredOn.replace(/ records/, " held-out records")}`;
  return {
    ...{
      title: basename(resolve(run.options.out)),
      task: subject.task.name,
      measuredOn,
      figures: quality.figures,
    },
    ...saidIn(quality),
    curve: {
      ...{ ...run.curve, unit: subject.task.lossUnit ?? "nats per token" },
      ...(judge === undefined ? {} : { figureName: judge }),
    },
    ...{ training: trainingFacts(ended), records: recordFacts(ended), notes },
    ...{ provenance: provenanceOf(run.options, "fp32, as shipped"), command },
  };
};

/**
 * Writes OUT/report.html and returns its path; undefined where none could be made, which is told: the model
 * is there all the same.
 */
export const reportOn = async (
  engine: Engine,
  ended: Ended,
  hooks: RecipeHooks,
): Promise<string | undefined> => {
  const { run } = ended;
  const path = join(run.options.out, "report.html");
  try {
    requireReport(path);
    const quality = await measured(engine, ended, hooks);
    await writeReport(path, runReport(ended, quality, { command: hooks.command, notes: run.notes }));
    hooks.ui.line(`report: ${path}`);
    return path;
  } catch (error) {
    if (hooks.signal?.aborted) throw error;
    hooks.ui.warn(`no report was made: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
};
