/** Hyperparameters of training: trials one after the other, each measured on the same held-out data. */
import { join } from "node:path";
import { claimFolder } from "../../node/files/claim.ts";
import { writeFileDurable } from "../../node/files/files.ts";
import { lockRun } from "../../node/files/lock.ts";
import { type SweepReport, sweepReportHtml } from "../../report/sweep/report.ts";
import { foretold, foretoldText } from "../../search/fidelity/rungs.ts";
import { importance } from "../../search/importance.ts";
import { checkSpace, type Space } from "../../search/space/space.ts";
import { frontTrials, type Study, study } from "../../search/study.ts";
import { isMeasured, type Measured, type Trial } from "../../search/trial.ts";
import { ConfigError, RunError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import {
  type Ended,
  identityOf,
  type Logged,
  logBegin,
  logEnd,
  logPause,
  openStudy,
  readTrials,
} from "./log.ts";
import { type SweepOptions, samplerOf, TRIALS } from "./options.ts";
import { commandOf, runTrial, type TrialContext } from "./runTrial.ts";
import { defaultSpace } from "./space.ts";

/** What a sweep found. */
export interface Swept extends Omit<SweepReport, "command"> {
  /** The report's page. */
  readonly report: string;
  /** The model of the best trial. */
  readonly path?: string;
}

/** So often a process may end in a trial before that has failed. */
const BEGUN = 3;
/** So many trials from the first that all fail end the sweep. */
const ALL_FAIL = 3;

/** Ends trials in which processes end again and again: those that run out of memory. */
const giveUp = (made: Study, logged: readonly Logged[], dir: string): void => {
  for (const { number, state, begun, judge = { name: "", better: "less" as const } } of logged) {
    if (state !== "running" || begun < BEGUN) continue;
    const error = `the process ended in it ${BEGUN} times, as where memory runs out`;
    const ended: Ended = { ...{ state: "failed", error, judge }, seconds: 0, steps: 0 };
    logEnd(dir, number, ended);
    made.tell(number, ended);
  }
};

const valuesText = (trial: Trial): string =>
  Object.entries(trial.values)
    .map(
      ([name, value]) =>
        `${name.split(".").at(-1)} ${typeof value === "number" ? Number(value.toPrecision(3)) : value}`,
    )
    .join(", ");

const endText = ({ state, objectives, judge, error, seconds }: Ended): string => {
  if (state === "failed") return `failed: ${error}`;
  const value = objectives?.[0] ?? Number.NaN;
  const shown = (judge.better === "more" ? -value : value).toFixed(4);
  return `${judge.name} ${shown}${state === "pruned" ? ", stopped" : ""} (${seconds.toFixed(1)} s)`;
};

/** Runs trials until there are enough, or the signal says so; what is left running goes on another time. */
const search = async (made: Study, most: number, context: TrialContext): Promise<Map<number, Ended>> => {
  const { dir, signal, hooks } = context;
  const progress = hooks.ui.task("trials", most);
  const all = new Map<number, Ended>();
  while (!signal.aborted) {
    const waiting = made.trials.find(({ state }) => state === "running");
    const trial = waiting ?? (made.trials.length < most ? made.ask() : undefined);
    if (trial === undefined) break;
    logBegin(dir, trial.number, trial.values);
    const others = made.trials.filter(({ number }) => number !== trial.number);
    const ended = await runTrial(trial, others, context);
    if (ended === undefined) {
      logPause(dir, trial.number);
      break;
    }
    logEnd(dir, trial.number, ended);
    made.tell(trial.number, ended);
    all.set(trial.number, ended);
    hooks.ui.line(`trial ${trial.number}: ${endText(ended)}; ${valuesText(trial)}`);
    progress.update(made.trials.length);
    const { trials } = made;
    if (trials.length === ALL_FAIL && trials.every(({ state }) => state === "failed")) {
      throw new RunError(`the first ${ALL_FAIL} trials failed: ${ended.error}`, {
        hint: `each trial's folder in ${dir} has its options.json; run it alone to see what is wrong`,
      });
    }
  }
  progress.done(`${made.trials.filter(({ state }) => state !== "running").length} trials`);
  return all;
};

/** What each rung says of the end, where trials were measured there. */
const rungNotes = (trials: readonly Trial[]): string[] => {
  const rungs = trials.reduce((most, { rungs = [] }) => Math.max(most, rungs.length), 0);
  return Array.from({ length: Math.max(0, rungs - 1) }, (_, rung) => {
    return `after measurement ${3 ** rung}: ${foretoldText(foretold(trials, rung))}`;
  });
};

const bestOf = (trials: readonly Trial[]): Measured | undefined =>
  trials.filter(isMeasured).reduce<Measured | undefined>((best, trial) => {
    return best === undefined || trial.objectives[0]! < best.objectives[0]! ? trial : best;
  }, undefined);

const summed = (dir: string, space: Space, options: SweepOptions): Omit<Swept, "report"> => {
  const trials = readTrials(dir);
  const best = bestOf(trials);
  const judge = trials.find((t) => t.judge !== undefined && t.state !== "failed")?.judge;
  const folder = best === undefined ? undefined : join(dir, `trial-${best.number}`);
  return {
    ...{ dir, space, trials, sampler: samplerOf(options), goals: options.goals ?? ["quality"] },
    judge: judge ?? { name: "held-out loss", better: "less" },
    front: frontTrials(trials).map(({ number }) => number),
    importance: importance(space, trials),
    notes: rungNotes(trials),
    ...(folder === undefined
      ? {}
      : {
          best: best!.number,
          path: join(folder, "model"),
          again: commandOf(options.ref, join(folder, "options.json")),
        }),
  };
};

const writeReport = async (found: Omit<Swept, "report">, command: string): Promise<string> => {
  const report = join(found.dir, "report.html");
  await writeFileDurable(report, [new TextEncoder().encode(sweepReportHtml({ ...found, command }))]);
  return report;
};

/** A signal that the time is over, and the user's own. */
const timed = (timeSec: number | undefined, given: AbortSignal | undefined): AbortSignal =>
  AbortSignal.any([
    ...(given === undefined ? [] : [given]),
    ...(timeSec === undefined ? [] : [AbortSignal.timeout(1000 * timeSec)]),
  ]);

const check = ({ trials, timeSec, trialSec }: SweepOptions): void => {
  for (const [field, value] of Object.entries({ trials, time: timeSec, "trial-time": trialSec })) {
    if (value === undefined || value > 0) continue;
    throw new ConfigError(`${value} is not above 0`, { field, hint: `set --${field} to what is above 0` });
  }
};

/**
 * Searches hyperparameters of training, or of fine-tuning where `ref` names a model: each trial is a run in
 * OUT/trial-N with its model, what became of it stands in OUT/trials.jsonl, and OUT/report.html shows all.
 * A trial that fails is noted and the search goes on. Throws ConfigError for a space or a folder that cannot
 * be, BusyError where another process has the folder, and what each trial would meet.
 */
export const sweep = async (base: RunOptions, options: SweepOptions, hooks: RecipeHooks): Promise<Swept> => {
  check(options);
  const { ref, goals = ["quality"], stops = true, timeSec, trialSec } = options;
  const space = checkSpace(options.space ?? defaultSpace(base, { tunes: ref !== undefined, goals }));
  const { out: dir, threads: _, ...rest } = base;
  await claimFolder(dir, { kind: "sweep" });
  const unlock = await lockRun(dir);
  try {
    const sampler = samplerOf(options);
    const said = { ref: ref ?? null, sampler, goals: [...goals], stops, options: rest };
    await openStudy(dir, identityOf(space, said), hooks.resume ?? false);
    const logged = readTrials(dir);
    const made = study(space, { sampler, seed: base.seed, trials: logged });
    giveUp(made, logged, dir);
    const most = options.trials ?? (timeSec === undefined ? TRIALS : Number.POSITIVE_INFINITY);
    hooks.ui.stage(`Searching ${Object.keys(space).length} parameters by ${sampler}`);
    const signal = timed(timeSec, hooks.signal);
    await search(made, most, { base, ref, goals, stops, trialSec, dir, signal, hooks });
    const found = summed(dir, space, options);
    return { ...found, report: await writeReport(found, hooks.command) };
  } finally {
    await unlock();
  }
};
