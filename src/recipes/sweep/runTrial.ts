/** One trial: a run of training or of fine-tuning, watched at its rungs and stopped there where it is bad. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { discard, makeFolder } from "../../node/files/files.ts";
import { asha, ETA } from "../../search/fidelity/asha.ts";
import type { Point } from "../../search/front/sort.ts";
import type { Trial } from "../../search/trial.ts";
import type { MetricsRow } from "../../train/loop.ts";
import { CheckpointError, DataError, FormatError, MissingError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks, Watched } from "../context/hooks.ts";
import { silent } from "../context/ui.ts";
import { finetune } from "../finetune/finetune.ts";
import { trainModel } from "../train/train.ts";
import type { Ended } from "./log.ts";
import type { Goal } from "./options.ts";
import { trialOptions } from "./trialOptions.ts";

/** What a trial is run with. */
export interface TrialContext {
  readonly base: RunOptions;
  readonly ref: string | undefined;
  readonly goals: readonly Goal[];
  readonly stops: boolean;
  readonly trialSec: number | undefined;
  /** The folder of the sweep. */
  readonly dir: string;
  /** Aborted by the user, or where the time is over. */
  readonly signal: AbortSignal;
  readonly hooks: RecipeHooks;
}

/** Measurements after which a trial has come to a rung: the first, the third, the ninth ... */
const isRung = (measured: number): boolean =>
  measured === 1 || (measured > 1 && measured % ETA === 0 && isRung(measured / ETA));

/** What a model without another judge is judged by. */
const LOSS = { name: "held-out loss", better: "less" } as const;

/** The best of what was measured so far, as objectives: weights of the best are what a run returns. */
const follower = (goals: readonly Goal[], onRung: (point: Point) => void) => {
  let [run, best, measured, steps] = [undefined as Watched | undefined, Number.POSITIVE_INFINITY, 0, 0];
  const point = (): Point => goals.map((goal) => (goal === "size" ? 4 * (run?.params ?? 0) : best));
  return {
    begins: (watched: Watched): void => {
      run = watched;
    },
    row: (row: MetricsRow): void => {
      steps = Math.max(steps, row.step);
      if (row.valLoss === undefined) return;
      const sign = run?.judge?.better === "more" ? -1 : 1;
      best = Math.min(best, run?.judge === undefined ? row.valLoss : sign * (row.figure ?? Number.NaN));
      measured++;
      if (isRung(measured)) onRung(point());
    },
    ended: () => ({ objectives: point(), steps, judge: run?.judge ?? LOSS }),
  };
};

/** Errors that are not of one trial: each would meet them. */
const isOfAll = (error: unknown): boolean =>
  [DataError, FormatError, MissingError].some((type) => error instanceof type) &&
  !(error instanceof CheckpointError);

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Writes what `anneal train --config` makes a run of, and resolves to its path. */
export const writeConfig = async (path: string, { out: _, ...options }: RunOptions): Promise<string> => {
  await makeFolder(dirname(path));
  await writeFile(path, `${JSON.stringify(options, null, 2)}\n`);
  return path;
};

/** The command that makes a trial again, given where its config lies. */
export const commandOf = (ref: string | undefined, config: string): string =>
  `npx anneal ${ref === undefined ? "train" : `finetune ${ref}`} --config ${config}`;

/** What a run of the recipe made: undefined where it was interrupted. */
const runRecipe = (ref: string | undefined, options: RunOptions, hooks: RecipeHooks): Promise<unknown> =>
  ref === undefined ? trainModel(options, hooks) : finetune(ref, options, hooks);

/**
 * Runs a trial in its folder, from its newest checkpoint where an earlier process left one; undefined where
 * it is to be gone on with. Throws what every trial would meet: data that cannot be read, missing parts.
 */
export const runTrial = async (
  trial: Trial,
  others: readonly Trial[],
  context: TrialContext,
): Promise<Ended | undefined> => {
  const { base, ref, goals, dir, trialSec, signal } = context;
  const { ranks: _, ...hooks } = context.hooks; // Each rank runs a trial alone.
  const folder = join(dir, `trial-${trial.number}`);
  const stop = new AbortController();
  const late = trialSec === undefined ? undefined : AbortSignal.timeout(1000 * trialSec);
  const rungs: Point[] = [];
  const start = performance.now();
  const watch = follower(goals, (point) => {
    rungs.push(point);
    if (context.stops && asha({ ...trial, rungs }, others).stop) stop.abort();
  });
  const ended = (state: Ended["state"], more: Partial<Ended> = {}): Ended => {
    const { steps, judge } = watch.ended();
    return { state, ...more, rungs, steps, judge, seconds: (performance.now() - start) / 1000 };
  };
  try {
    const options = trialOptions(base, trial.values, folder);
    const config = await writeConfig(join(folder, "options.json"), options);
    const made = await runRecipe(ref, options, {
      ...hooks,
      ...{ watch, ui: { ...silent, warn: (text) => hooks.ui.warn(`trial ${trial.number}: ${text}`) } },
      command: commandOf(ref, config),
      signal: AbortSignal.any([signal, stop.signal, ...(late === undefined ? [] : [late])]),
      resume: existsSync(join(folder, "run", "checkpoints", "latest")),
    });
    const { objectives } = watch.ended();
    if (made !== undefined) return ended("complete", { objectives });
    if (stop.signal.aborted) return ended("pruned", { objectives });
    return late?.aborted ? ended("failed", { error: `took over ${trialSec} s` }) : undefined;
  } catch (error) {
    if (signal.aborted) return undefined;
    if (isOfAll(error)) throw error;
    return ended("failed", { error: messageOf(error) });
  } finally {
    // What a trial would go on from is of no use once it has ended.
    if (!signal.aborted) await discard(join(folder, "run", "checkpoints"));
  }
};
