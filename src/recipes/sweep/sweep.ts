/** Hyperparameters of training: trials, each measured on the same held-out data. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeFileDurable } from "../../node/files/files.ts";
import { type SweepReport, sweepReportHtml } from "../../report/sweep/report.ts";
import { foretold, foretoldText } from "../../search/fidelity/rungs.ts";
import { importance } from "../../search/importance.ts";
import { checkSpace, type Space, type Values } from "../../search/space/space.ts";
import { frontTrials } from "../../search/study.ts";
import { isMeasured, type Measured, type Trial } from "../../search/trial.ts";
import { ConfigError, RunError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { materialOf } from "../redis/material.ts";
import { isFirst } from "../train/ranks.ts";
import { type Ended, identityOf, type Logged, readTrials } from "./log.ts";
import { type SweepOptions, samplerOf, TRIALS } from "./options.ts";
import { takePart } from "./part.ts";
import { narrowed, widened } from "./proxy.ts";
import type { Queue } from "./queue.ts";
import { takePartByRedis } from "./redis/part.ts";
import { commandOf, runTrial, type TrialContext, writeConfig } from "./runTrial.ts";
import { defaultSpace, requireSameMeasure } from "./space.ts";
import { trialOptions } from "./trialOptions.ts";

/** What a sweep found. */
export interface Swept extends Omit<SweepReport, "command"> {
  /** The report's page. */
  readonly report: string;
  /** The model of the best trial. */
  readonly path?: string;
}

/** So many trials from the first that all fail end the sweep. */
const ALL_FAIL = 3;
/** Milliseconds between two looks at what others are at. */
const LOOK = 500;

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

/** Throws RunError where all of the first trials have failed. */
const requireSome = (trials: readonly Logged[], dir: string): void => {
  if (trials.length < ALL_FAIL || !trials.every(({ state }) => state === "failed")) return;
  const { error } = trials.at(-1)!;
  throw new RunError(`the first ${trials.length} trials failed: ${error}`, {
    hint: `each trial's folder in ${dir} has its options.json; run it alone to see what is wrong`,
  });
};

/** Tells of each trial that has ended since, this process's and those of others. */
const telling = (queue: Queue, most: number, { ui }: RecipeHooks) => {
  const progress = ui.task("trials", most);
  const hasEnded = ({ state }: Trial): boolean => state !== "running";
  const told = new Set(
    queue
      .trials()
      .filter(hasEnded)
      .map(({ number }) => number),
  );
  return {
    update(): readonly Logged[] {
      const trials = queue.trials();
      for (const trial of trials.filter(hasEnded)) {
        if (told.has(trial.number)) continue;
        told.add(trial.number);
        ui.line(`trial ${trial.number}: ${endText(trial as Ended & Trial)}; ${valuesText(trial)}`);
      }
      progress.update(trials.length);
      return trials;
    },
    done: () => progress.done(`${queue.trials().filter(hasEnded).length} trials`),
  };
};

/**
 * Runs trials until there are enough, or the signal says so; what is left running goes on another time.
 * Others
 * may take from the same queue: all wait until the last trial has ended, for its process may be gone by then.
 */
const search = async (queue: Queue, most: number, context: TrialContext): Promise<void> => {
  const { dir, signal, hooks } = context;
  const told = telling(queue, most, hooks);
  while (!signal.aborted) {
    const taken = await queue.next();
    if (taken === undefined) break;
    if (taken === "wait") await sleep(LOOK, undefined, { signal }).catch(() => {});
    else {
      const { trial, others, lost } = taken;
      const signals = lost === undefined ? signal : AbortSignal.any([signal, lost]);
      const noted = await taken.end(await runTrial(trial, others, { ...context, signal: signals }));
      if (!noted) hooks.ui.warn(`trial ${trial.number} was taken over by another process`);
    }
    requireSome(told.update(), dir);
  }
  told.update();
  told.done();
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

/** The command of the best trial: by its own options, or at the width that is wanted. */
const againOf = async ({ base, dir, options }: Summing, best: Measured): Promise<string> => {
  const { proxyWidth, ref } = options;
  const own = join(dir, `trial-${best.number}`, "options.json");
  if (proxyWidth === undefined) return commandOf(ref, own);
  const wide = widened(base, best.values, proxyWidth);
  return commandOf(ref, await writeConfig(join(dir, "wide.json"), wide));
};

/** What a summary is made of. */
interface Summing {
  readonly dir: string;
  readonly space: Space;
  readonly options: SweepOptions;
  /** The options that are wanted in the end. */
  readonly base: RunOptions;
}

const summed = async (given: Summing): Promise<Omit<Swept, "report">> => {
  const { dir, space, options } = given;
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
          // Too large to be sent, it is where it was made.
          ...(existsSync(join(folder, "model")) ? { path: join(folder, "model") } : {}),
          again: await againOf(given, best!),
        }),
  };
};

const writeReport = async (found: Omit<Swept, "report">, command: string): Promise<string> => {
  const report = join(found.dir, "report.html");
  await writeFileDurable(report, [new TextEncoder().encode(sweepReportHtml({ ...found, command }))]);
  return report;
};

/** A signal that the time is over, and those that are given. */
const timed = (timeSec: number | undefined, ...given: readonly (AbortSignal | undefined)[]): AbortSignal =>
  AbortSignal.any([
    ...given.filter((signal) => signal !== undefined),
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
 * A trial that fails is noted and the search goes on. Processes that join, and ranks, take trials from the
 * same queue; resolves to undefined on those. Throws ConfigError for a space or a folder that cannot be,
 * BusyError where another process has the folder, and what each trial would meet.
 */
export const sweep = async (
  wanted: RunOptions,
  options: SweepOptions,
  hooks: RecipeHooks,
): Promise<Swept | undefined> => {
  check(options);
  const { ref, goals = ["quality"], stops = true, timeSec, trialSec, proxyWidth: width } = options;
  const space = checkSpace(options.space ?? defaultSpace(wanted, { tunes: ref !== undefined, goals }));
  requireSameMeasure(space, wanted, ref);
  const base = width === undefined ? wanted : narrowed(wanted, { width, space, ref });
  const { out: dir, threads: _, ...rest } = base;
  const sampler = samplerOf(options);
  const identity = identityOf(space, { ref: ref ?? null, sampler, goals: [...goals], stops, options: rest });
  const most = options.trials ?? (timeSec === undefined ? TRIALS : Number.POSITIVE_INFINITY);
  const asking = { space, sampler, seed: base.seed, most, timed: timeSec !== undefined };
  const until = timed(timeSec, hooks.signal);
  const subject = { dir, identity, asking };
  const byRedis = {
    until,
    material: async () => {
      const { version, files } = await materialOf({ base, ref, hooks });
      return { version, ...(identity as object), files };
    },
    describe: (values: Values, folder: string) =>
      writeConfig(join(folder, "options.json"), trialOptions(base, values, folder)),
  };
  const { queue, leave, gone } =
    options.queue === undefined
      ? await takePart(subject, hooks)
      : await takePartByRedis(subject, { url: options.queue, ...byRedis }, hooks);
  try {
    hooks.ui.stage(`Searching ${Object.keys(space).length} parameters by ${sampler}`);
    const signal = timed(undefined, until, gone);
    await search(queue, most, { base, ref, goals, stops, trialSec, dir, signal, hooks });
    if (gone?.aborted && gone.reason.name !== "AbortError") throw gone.reason;
    if (!isFirst(hooks) || hooks.joins) return undefined;
    const found = await summed({ dir, space, options, base: wanted });
    return { ...found, report: await writeReport(found, hooks.command) };
  } finally {
    await leave();
  }
};
