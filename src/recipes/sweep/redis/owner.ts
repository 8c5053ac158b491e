/**
 * The process that owns a sweep over Redis: it asks the sampler whenever somebody has nothing to do, and logs
 * what comes back. It takes trials like the others. All that counts is in its folder: a Redis that has
 * forgotten a trial is told of it again.
 */
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { guarded, remove } from "../../../node/files/files.ts";
import type { Jobs } from "../../../node/redis/jobs.ts";
import type { Values } from "../../../search/space/space.ts";
import { BusyError, DataError } from "../../../util/errors.ts";
import type { Ui } from "../../context/ui.ts";
import { type Ended, type Logged, logBegin, logEnd, logPause, readTrials } from "../log.ts";
import type { Part } from "../part.ts";
import { type Asking, asked, type Queue, trialIn } from "../queue.ts";
import { type Asked, type Result, resultOf, toldOf } from "./messages.ts";
import { jobOf, takenFrom } from "./taken.ts";

/** Milliseconds between two looks at what has come back, and for the last one. */
const [LOOK, LEAVES] = [250, 5000];

/** What an owner has. */
export interface Owning {
  readonly jobs: Jobs;
  readonly dir: string;
  readonly study: string;
  /** What others have to have alike. */
  readonly material: unknown;
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

/** Works one after the other; what waits for the same turn waits for one. */
const oneByOne = (work: () => Promise<void>): (() => Promise<void>) => {
  let [now, next] = [Promise.resolve(), undefined as Promise<void> | undefined];
  return () => {
    next ??= now
      .catch(() => {})
      .then(() => {
        next = undefined;
        now = work();
        return now;
      });
    return next;
  };
};

/** Takes the queue. Throws BusyError where another search has it. */
const takeQueue = async ({ jobs, study, material }: Owning): Promise<void> => {
  if (!(await jobs.own(study))) {
    throw new BusyError("the queue in Redis is another search's", {
      field: "queue",
      hint: "wait for it, or name another queue: redis://HOST:PORT#NAME",
    });
  }
  const before = toldOf((await jobs.subject()) ?? "");
  if (before?.study !== study) await jobs.clear();
  await jobs.tell(JSON.stringify({ study, material }));
  await jobs.arrive(study);
};

/** Owns a sweep, whose folder is open. Throws BusyError where another search has the queue. */
export const ownSweep = async (given: Owning): Promise<Part> => {
  const { jobs, dir, study, asking } = given;
  await takeQueue(given);
  let [isAll, isLeaving] = [false, false];
  const tend = oneByOne(async () => {
    if (!(await jobs.own(study))) throw new BusyError("the queue in Redis was taken by another search");
    await collect(given);
    if (!isLeaving) isAll = await begin(given);
  });
  const gone = new AbortController();
  const timer = setInterval(() => tend().catch((error: unknown) => gone.abort(error)), LOOK);
  timer.unref();
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
    gone: AbortSignal.any([gone.signal, jobs.lost]),
    async leave() {
      clearInterval(timer);
      isLeaving = true;
      const last = tend().catch(() => {}); // What cannot be asked any more is made again.
      await Promise.race([last, sleep(LEAVES, undefined, { ref: false })]);
      for (const { number } of readTrials(dir).filter(isRunning)) logPause(dir, number);
      await jobs.close(study);
    },
  };
};
