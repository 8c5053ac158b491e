/** Making the dense model of a trial under watch: what learns badly, or would learn too long, is stopped. */
import type { Context } from "../../compress/pass.ts";
import type { Model } from "../../models/model.ts";
import type { MetricsRow } from "../../train/loop.ts";
import { defined } from "../../util/defined.ts";
import { asha } from "../fidelity/asha.ts";
import type { Point } from "../front/sort.ts";
import type { Values } from "../space/space.ts";
import type { Trial } from "../trial.ts";
import { type MakeOptions, makeDense } from "./makeBase.ts";
import type { Made } from "./makers.ts";
import type { Run } from "./run.ts";
import { baseKey, isTaught } from "./space.ts";
import type { Pace, Watched } from "./watched.ts";

/** How the dense model of a trial is made. */
export interface Making {
  readonly whole: Model;
  readonly options: MakeOptions;
  readonly context: Context;
  /** Absent: nothing is stopped on its way. */
  readonly watched?: Watched;
  /** The other trials as they stand. */
  readonly others: () => readonly Trial[];
  /** Milliseconds that there are. */
  readonly left: () => number;
  /** Aborted: it is given up. */
  readonly until?: AbortSignal;
  readonly onPace: (pace: Pace) => void;
}

/** What is lost at a measurement on the way. */
const lostAt = ({ task, lesson }: MakeOptions, start: Watched, { valLoss, figure }: MetricsRow): number => {
  const { judge } = lesson;
  if (judge !== undefined && figure !== undefined)
    return (judge.better === "less" ? 1 : -1) * (figure - start.quality);
  const scale = task.criterion.better === "less" ? Math.abs(start.quality / start.mean) : 1;
  return ((valLoss ?? Number.NaN) - start.mean) * scale;
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
const timed = ({ left, onPace }: Making, work: number, steps: number) => {
  let first: { readonly step: number; readonly at: number } | undefined;
  return ({ step }: MetricsRow): number | undefined => {
    const now = performance.now();
    first ??= { step, at: now };
    const [updates, ms] = [step - first.step, now - first.at];
    if (updates < 1 || (updates < SOME && ms < WHILE_MS)) return undefined;
    const pace = { updateMs: ms / updates, work };
    onPace(pace);
    const more = (steps - step) * pace.updateMs;
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
const watcher = (trial: Trial, making: Making): Watch => {
  const { options, watched: start, others } = making;
  const watch: Watch = { stop: new AbortController(), rungs: [] };
  if (start === undefined) return watch;
  const { steps } = options.teaching(trial.values);
  const late = timed(making, start.work, steps);
  const { stop, rungs } = watch;
  const onRow = (row: MetricsRow): void => {
    const lateMs = late(row);
    if (lateMs !== undefined && !stop.signal.aborted) {
      watched.lateMs = lateMs;
      stop.abort();
    }
    if (row.valLoss === undefined || row.step === 0 || row.step >= steps) return;
    rungs.push([lostAt(options, start, row), ...start.costs]);
    const rest = others().filter(({ number }) => number !== trial.number);
    if (asha({ ...trial, rungs: [...rungs] }, rest).stop) stop.abort();
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

/** Makes the dense model of a trial. Throws what making it throws. */
export const makeWatched = async (trial: Trial, making: Making): Promise<Dense> => {
  const { whole, options, context, until } = making;
  const watch = watcher(trial, making);
  const stops = [watch.stop.signal, ...(until === undefined ? [] : [until])];
  const watching = { stop: AbortSignal.any(stops), ...(watch.onRow ? { onRow: watch.onRow } : {}) };
  const { dense, stopped } = await makeDense(whole, trial.values, options, context, watching);
  const { rungs, lateMs } = watch;
  return stopped || dense === undefined ? { rungs, ...defined({ lateMs }) } : { model: dense, rungs };
};

/** What the dense model of a configuration is watched by; undefined where it is not. */
export const watchedBy = async (run: Run, values: Values): Promise<Watched | undefined> => {
  const { options, foreteller, objectives, start } = run;
  if (options.spares !== true || foreteller === undefined || !isTaught(values)) return undefined;
  const foretold = await foreteller.figures(values);
  // What is not foretold is taken to be the same of all.
  const costs = objectives.slice(1).map(({ name, better }) => {
    return (better === "less" ? 1 : -1) * (foretold[name] ?? 0);
  });
  const { scores, quality } = start!;
  const mean = scores.reduce((sum, x) => sum + x, 0) / scores.length;
  return { quality, mean, costs, work: workOf(run, values) };
};

/** Tells what another process has made as if it had been made here. Throws Error where that failed. */
const fromOther = (run: Run, { values }: Trial, made: Made): void => {
  const { onRow } = run.options.teaching(values);
  for (const row of made.rows) onRow?.(row);
  if (made.pace !== undefined) run.pace = made.pace;
  if (made.error !== undefined) throw new Error(made.error);
};

/**
 * The dense model of a trial: what another process made of it, what was kept, else made here. Throws what
 * making it throws.
 */
export const denseOf = async (run: Run, trial: Trial, made?: Made): Promise<Dense> => {
  const { options, context, whole, study } = run;
  if (made !== undefined) fromOther(run, trial, made);
  if (made?.stopped) return { rungs: made.rungs, ...defined({ lateMs: made.lateMs }) };
  const key = baseKey(trial.values);
  const kept = await options.keeping.dense(key);
  if (kept !== undefined) return kept;
  const dense = await makeWatched(trial, {
    ...{ whole, options, context, others: () => study.trials },
    ...defined({ watched: await watchedBy(run, trial.values), until: options.until }),
    left: options.left ?? (() => Number.POSITIVE_INFINITY),
    onPace: (pace) => {
      run.pace = pace;
    },
  });
  const { model, rungs } = dense;
  if (model !== undefined && model !== whole) await options.keeping.keep(key, { model, rungs });
  return dense;
};
