/** Hyperparameters of training: trials one after the other, each measured on the same held-out data. */
import { join } from "node:path";
import { requireAgreement, tellAll } from "../../distribute/agree.ts";
import { claimFolder } from "../../node/files/claim.ts";
import { writeFileDurable } from "../../node/files/files.ts";
import { lockRun } from "../../node/files/lock.ts";
import { type SweepReport, sweepReportHtml } from "../../report/sweep/report.ts";
import { foretold, foretoldText } from "../../search/fidelity/rungs.ts";
import { importance } from "../../search/importance.ts";
import type { SamplerName } from "../../search/samplers/index.ts";
import { checkSpace, type Space } from "../../search/space/space.ts";
import { frontTrials, type Study, study } from "../../search/study.ts";
import { isMeasured, type Measured, type Trial } from "../../search/trial.ts";
import { alone } from "../../train/ranks/collective.ts";
import { ConfigError, RunError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { version } from "../context/version.ts";
import { isFirst, seeOne } from "../train/ranks.ts";
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

/** The trials that come next, those first that were left before: at most `count`, one for each rank. */
const nextTrials = (made: Study, most: number, count: number): readonly Trial[] => {
  const next = made.trials.filter(({ state }) => state === "running").slice(0, count);
  while (next.length < count && made.trials.length < most) {
    const asked = made.ask();
    if (asked === undefined) break;
    next.push(asked);
  }
  return next;
};

/** What becomes of a trial, in the log of the first rank and in the study of each. */
const enter = (made: Study, trial: Trial, ended: Ended | null, { dir, hooks }: TrialContext): void => {
  const { number } = trial;
  if (ended === null) {
    if (isFirst(hooks)) logPause(dir, number);
    return;
  }
  if (isFirst(hooks)) logEnd(dir, number, ended);
  made.tell(number, ended);
  hooks.ui.line(`trial ${number}: ${endText(ended)}; ${valuesText(trial)}`);
};

/** Throws RunError where all trials so far have failed. */
const requireSome = ({ trials }: Study, dir: string): void => {
  if (!trials.every(({ state }) => state === "failed")) return;
  const { error } = readTrials(dir).at(-1)!;
  throw new RunError(`the first ${trials.length} trials failed: ${error}`, {
    hint: `each trial's folder in ${dir} has its options.json; run it alone to see what is wrong`,
  });
};

/**
 * Runs trials until there are enough, or the signal says so; what is left running goes on another time. Of
 * several ranks each runs one, and all go on when the last has ended: each has the same study.
 */
const search = async (made: Study, most: number, context: TrialContext): Promise<void> => {
  const { dir, signal, hooks } = context;
  const collective = hooks.ranks?.collective ?? alone;
  const progress = hooks.ui.task("trials", most);
  const stopped = async () => (await tellAll(collective, signal.aborted)).includes(true);
  while (!(await stopped())) {
    const next = nextTrials(made, most, collective.size);
    if (next.length === 0) break;
    if (isFirst(hooks)) for (const { number, values } of next) logBegin(dir, number, values);
    const own = next[collective.rank];
    const others = made.trials.filter(({ number }) => number !== own?.number);
    const ended = own && (await runTrial(own, others, context));
    const all = await tellAll(collective, ended ?? null);
    for (const [rank, trial] of next.entries()) enter(made, trial, all[rank]!, context);
    progress.update(made.trials.length);
    if (next.some(({ number }) => number === ALL_FAIL - 1)) requireSome(made, dir);
  }
  progress.done(`${made.trials.filter(({ state }) => state !== "running").length} trials`);
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

/** Opens the sweep's folder, by the first rank for all, and resolves to what gives it back. */
const openFolder = async (
  { space, said, base }: { readonly space: Space; readonly said: object; readonly base: RunOptions },
  { ranks, resume = false }: RecipeHooks,
): Promise<() => Promise<void>> => {
  const { out: dir } = base;
  const open = async () => {
    await claimFolder(dir, { kind: "sweep" });
    const unlock = await lockRun(dir);
    try {
      await openStudy(dir, identityOf(space, { ...said }), resume);
      return unlock;
    } catch (error) {
      await unlock();
      throw error;
    }
  };
  if (ranks === undefined) return open();
  const { collective } = ranks;
  await requireAgreement(collective, { version, identity: identityOf(space, { ...said }), resume });
  const unlock = collective.rank === 0 ? await open() : async () => {};
  if (!(await seeOne(dir, collective))) {
    throw new ConfigError("is not seen by all ranks, whose trials are to stand in it", {
      field: "out",
      hint: "name a folder that all machines share with --out",
    });
  }
  ranks.watch();
  return unlock;
};

/** The study of a sweep's folder, the same on each rank. */
const studyIn = async (
  dir: string,
  options: { readonly space: Space; readonly sampler: SamplerName; readonly seed: number },
  hooks: RecipeHooks,
): Promise<Study> => {
  const { space, ...how } = options;
  const made = study(space, { ...how, trials: readTrials(dir) });
  if (isFirst(hooks)) giveUp(made, readTrials(dir), dir);
  if (hooks.ranks === undefined) return made;
  await tellAll(hooks.ranks.collective, null); // What was given up is noted.
  return study(space, { ...how, trials: readTrials(dir) });
};

/**
 * Searches hyperparameters of training, or of fine-tuning where `ref` names a model: each trial is a run in
 * OUT/trial-N with its model, what became of it stands in OUT/trials.jsonl, and OUT/report.html shows all.
 * A trial that fails is noted and the search goes on. Ranks run as many trials at once; resolves to
 * undefined on those after the first. Throws ConfigError for a space or a folder that cannot be, BusyError
 * where another process has the folder, and what each trial would meet.
 */
export const sweep = async (
  base: RunOptions,
  options: SweepOptions,
  hooks: RecipeHooks,
): Promise<Swept | undefined> => {
  check(options);
  const { ref, goals = ["quality"], stops = true, timeSec, trialSec } = options;
  const space = checkSpace(options.space ?? defaultSpace(base, { tunes: ref !== undefined, goals }));
  const { out: dir, threads: _, ...rest } = base;
  const sampler = samplerOf(options);
  const said = { ref: ref ?? null, sampler, goals: [...goals], stops, options: rest };
  const unlock = await openFolder({ space, said, base }, hooks);
  try {
    const made = await studyIn(dir, { space, sampler, seed: base.seed }, hooks);
    const most = options.trials ?? (timeSec === undefined ? TRIALS : Number.POSITIVE_INFINITY);
    hooks.ui.stage(`Searching ${Object.keys(space).length} parameters by ${sampler}`);
    const signal = timed(timeSec, hooks.signal);
    await search(made, most, { base, ref, goals, stops, trialSec, dir, signal, hooks });
    if (!isFirst(hooks)) return undefined;
    const found = summed(dir, space, options);
    return { ...found, report: await writeReport(found, hooks.command) };
  } finally {
    await unlock();
  }
};
