/** Making the dense model of a trial under watch: what learns badly, or would learn too long, is stopped. */
import type { Model } from "../../models/model.ts";
import type { MetricsRow } from "../../train/loop.ts";
import { defined } from "../../util/defined.ts";
import { asha } from "../fidelity/asha.ts";
import type { Point } from "../front/sort.ts";
import type { Values } from "../space/space.ts";
import type { Trial } from "../trial.ts";
import { makeDense } from "./makeBase.ts";
import type { Run } from "./run.ts";
import { baseKey, isTaught } from "./space.ts";

/** Scores to what is lost of the criterion. */
const lossScale = ({ options, start }: Run): number => {
  const mean = start!.scores.reduce((sum, x) => sum + x, 0) / start!.scores.length;
  return options.task.criterion.better === "less" ? Math.abs(start!.quality / mean) : 1;
};

/** What is lost at a measurement on the way. */
const lostAt = (run: Run, { valLoss, figure }: MetricsRow): number => {
  const { options, start } = run;
  const { judge } = options.lesson;
  if (judge !== undefined && figure !== undefined)
    return (judge.better === "less" ? 1 : -1) * (figure - start!.quality);
  const mean = start!.scores.reduce((sum, x) => sum + x, 0) / start!.scores.length;
  return ((valLoss ?? Number.NaN) - mean) * lossScale(run);
};

/** What an update computes: the teacher forward, the student forward and twice as much back. */
const workOf = ({ foreteller }: Run, values: Values): number => {
  const size = (of: Values): number => foreteller?.size({ ...of, dtype: "fp32" }) ?? 1;
  return size({}) + 3 * size(values);
};

/** Milliseconds that teaching a configuration takes, by what was taught before; 0 where nothing was. */
export const teachingMs = (run: Run, values: Values): number => {
  const { pace, options } = run;
  if (pace === undefined || !isTaught(values)) return 0;
  return (options.teaching(values).steps * pace.updateMs * workOf(run, values)) / pace.work;
};

/** Updates, and milliseconds, after which it is known how long an update takes. */
const [SOME, WHILE_MS] = [20, 10_000];

/** Watches whether teaching ends in time: gives the milliseconds that are still to go where it does not. */
const timed = (run: Run, values: Values, steps: number): ((row: MetricsRow) => number | undefined) => {
  const { left = () => Number.POSITIVE_INFINITY } = run.options;
  let first: { readonly step: number; readonly at: number } | undefined;
  return ({ step }) => {
    const now = performance.now();
    first ??= { step, at: now };
    const [updates, ms] = [step - first.step, now - first.at];
    if (updates < 1 || (updates < SOME && ms < WHILE_MS)) return undefined;
    run.pace = { updateMs: ms / updates, work: workOf(run, values) };
    const more = (steps - step) * run.pace.updateMs;
    return more > left() ? more : undefined;
  };
};

/** What watches a trial. */
interface Watch {
  readonly stop: AbortController;
  readonly rungs: Point[];
  /** Milliseconds that teaching would have taken from where it was given up for want of time. */
  lateMs?: number;
  readonly onRow?: (row: MetricsRow) => void;
}

/** Stops what learns where others say that it comes to nothing, and what would learn for too long. */
const watcher = async (run: Run, trial: Trial): Promise<Watch> => {
  const { options, foreteller, study, objectives } = run;
  const watch: Watch = { stop: new AbortController(), rungs: [] };
  if (options.spares !== true || foreteller === undefined || !isTaught(trial.values)) return watch;
  const foretold = await foreteller.figures(trial.values);
  // What is not foretold is taken to be the same of all.
  const costs = objectives.slice(1).map(({ name, better }) => {
    return (better === "less" ? 1 : -1) * (foretold[name] ?? 0);
  });
  const { steps } = options.teaching(trial.values);
  const late = timed(run, trial.values, steps);
  const { stop, rungs } = watch;
  const onRow = (row: MetricsRow): void => {
    const lateMs = late(row);
    if (lateMs !== undefined && !stop.signal.aborted) {
      watched.lateMs = lateMs;
      stop.abort();
    }
    if (row.valLoss === undefined || row.step === 0 || row.step >= steps) return;
    rungs.push([lostAt(run, row), ...costs]);
    const others = study.trials.filter(({ number }) => number !== trial.number);
    if (asha({ ...trial, rungs: [...rungs] }, others).stop) stop.abort();
  };
  const watched: Watch = { ...watch, onRow };
  return watched;
};

/** A dense model, or why there is none. */
export interface Dense {
  /** Absent where it came to nothing. */
  readonly model?: Model;
  /** What it had lost, and would cost, at the measurements on the way. */
  readonly rungs: readonly Point[];
  /** Milliseconds that teaching would have taken further: it was given up for that. */
  readonly lateMs?: number;
}

/** The dense model of a trial, from what was kept where it was. Throws what making it throws. */
export const denseOf = async (run: Run, trial: Trial): Promise<Dense> => {
  const { options, context, whole } = run;
  const key = baseKey(trial.values);
  const kept = await options.keeping.dense(key);
  if (kept !== undefined) return { model: kept, rungs: [] };
  const watch = await watcher(run, trial);
  const stops = [watch.stop.signal, ...(options.until === undefined ? [] : [options.until])];
  const watching = { stop: AbortSignal.any(stops), ...(watch.onRow ? { onRow: watch.onRow } : {}) };
  const { dense, stopped } = await makeDense(whole, trial.values, options, context, watching);
  const { rungs, lateMs } = watch;
  if (stopped || dense === undefined) return { rungs, ...defined({ lateMs }) };
  if (dense !== whole) await options.keeping.keep(key, dense);
  return { model: dense, rungs };
};
