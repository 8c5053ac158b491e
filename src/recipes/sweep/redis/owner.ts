/**
 * The process that owns a sweep over Redis: it asks the sampler whenever somebody has nothing to do, and logs
 * what comes back. It takes trials like the others. All that counts is in its folder: a Redis that has
 * forgotten a trial is told of it again.
 */
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { guarded, remove } from "../../../node/files/files.ts";
import type { Values } from "../../../search/space/space.ts";
import { DataError } from "../../../util/errors.ts";
import type { Ui } from "../../context/ui.ts";
import { jobOf } from "../../redis/messages.ts";
import { type Owned, takeQueue, tending } from "../../redis/owning.ts";
import { type Ended, type Logged, logBegin, logEnd, logPause, readTrials } from "../log.ts";
import type { Part } from "../part.ts";
import { type Asking, asked, type Queue, trialIn } from "../queue.ts";
import { type Asked, type Result, resultOf } from "./messages.ts";
import { takenFrom } from "./taken.ts";

/** Milliseconds for the last look at what has come back. */
const LEAVES = 5000;

/** What an owner has. */
export interface Owning extends Owned {
  readonly dir: string;
  readonly asking: Asking;
  /** Aborted where nothing is to be begun any more. */
  readonly until: AbortSignal;
  readonly ui: Ui;
  /** Writes the options of a trial into its folder. */
  describe(values: Values, folder: string): Promise<unknown>;
}

const unreadable: Ended = {
  ...{ state: "failed", judge: { name: "", better: "less" }, seconds: 0, steps: 0 },
  error: "what it came to could not be read",
};

const isRunning = ({ state }: Logged): boolean => state === "running";

/** Writes the files of a trial that another process has run, in place of what was begun here. */
const receive = async (id: string, trial: Logged, files: Result["files"], owning: Owning): Promise<void> => {
  const { jobs, dir, ui } = owning;
  const [folder, coming] = [trialIn(dir, trial), join(dir, `coming-${trial.number}`)];
  if (files === undefined) ui.warn(`trial ${trial.number}'s files stay with the process that ran it`);
  else if (files.length > 0) {
    try {
      await remove(coming);
      await jobs.fetch(id, files, coming);
      await remove(folder);
      await guarded("renaming", folder, () => rename(coming, folder));
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      ui.warn(error.message);
      await remove(coming);
    }
  }
  // Values that do not go together make no options: the trial has failed by them.
  await owning.describe(trial.values, folder).catch(() => {});
};

/** Logs what has come back, and forgets it in Redis. */
const collect = async (owning: Owning): Promise<void> => {
  const { jobs, dir, study } = owning;
  for (const { id, result } of await jobs.ended()) {
    const trial = readTrials(dir).find(({ number }) => jobOf(study, number) === id);
    const { ended, files } = resultOf(result) ?? { ended: unreadable, files: [] };
    if (trial !== undefined && isRunning(trial)) {
      await receive(id, trial, files, owning);
      logEnd(dir, trial.number, ended);
    }
    await jobs.forget(id);
    await jobs.drop(id, files ?? []);
  }
};

/** Begins as many trials as there are processes without one; says whether that was all there will be. */
const begin = async ({ jobs, dir, study, asking, until }: Owning): Promise<boolean> => {
  const add = ({ number, values }: Pick<Logged, "number" | "values">): Promise<void> =>
    jobs.add(jobOf(study, number), (): Asked => {
      const others = readTrials(dir).filter((trial) => trial.number !== number);
      return { number, values, others };
    });
  const running = readTrials(dir).filter(isRunning);
  for (const trial of running) await add(trial); // It is there, unless Redis has forgotten it.
  const present = await jobs.present();
  for (let open = running.length; open < present && !until.aborted; open++) {
    const trial = asked(asking, readTrials(dir));
    if (trial === undefined) return true;
    logBegin(dir, trial.number, trial.values);
    await add(trial);
  }
  return false;
};

/** Owns a sweep, whose folder is open. Throws BusyError where another search has the queue. */
export const ownSweep = async (given: Owning): Promise<Part> => {
  const { jobs, dir, study, asking } = given;
  await takeQueue(given);
  await jobs.arrive(study);
  let [isAll, isLeaving] = [false, false];
  const { tend, gone, stop } = tending(given, async () => {
    await collect(given);
    if (!isLeaving) isAll = await begin(given);
  });
  const queue: Queue = {
    trials: () => readTrials(dir),
    async next() {
      await tend();
      const job = await jobs.take();
      if (job !== undefined) return takenFrom(job, { ...given, isShared: true, space: asking.space });
      return isAll && !readTrials(dir).some(isRunning) ? undefined : "wait";
    },
  };
  return {
    queue,
    gone,
    async leave() {
      stop();
      isLeaving = true;
      const last = tend().catch(() => {}); // What cannot be asked any more is made again.
      await Promise.race([last, sleep(LEAVES, undefined, { ref: false })]);
      for (const { number } of readTrials(dir).filter(isRunning)) logPause(dir, number);
      await jobs.close(study);
    },
  };
};
