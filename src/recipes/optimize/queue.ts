/**
 * What a search asks other processes to make, in OUT/run/search/queue, which machines may share: jobs/N holds
 * what is asked for a trial, the lease of who is at it, and what became of it; makers/ has a folder for each
 * process. One that is gone leaves its job to the next. While something is timed, makers of the same machine
 * rest.
 */
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeFileDurable } from "../../node/files/checkpoints.ts";
import { guarded, makeFolder, remove } from "../../node/files/files.ts";
import type { Leases } from "../../node/files/lease.ts";
import type { Unlock } from "../../node/files/lock.ts";
import type { Job, Made, Makers } from "../../search/candidates/makers.ts";
import { type Resting, restingIn, type Timing, timingIn } from "./quiet.ts";
import { read, searchIn, written } from "./store.ts";

const [JOB, ENDED, TRIES] = ["job.json", "ended.json", "tries"] as const;
/** So often a process may end in a job before that has failed. */
export const MOST_TRIES = 3;
/** Milliseconds between two looks at jobs. */
export const LOOK = 200;

/** The folder of a run's queue. */
export const queueIn = (run: string): string => join(searchIn(run), "queue");

const places = (dir: string) => ({
  jobs: join(dir, "jobs"),
  job: (number: number): string => join(dir, "jobs", String(number)),
});

const namesIn = (dir: string): Promise<string[]> => readdir(dir).catch(() => []);
const json = (value: unknown): Uint8Array[] => [Buffer.from(`${written(value)}\n`)];
const parsed = async <T>(path: string): Promise<T | undefined> => {
  const text = await readFile(path, "utf8").catch(() => undefined);
  return text === undefined ? undefined : (read(text) as T);
};

/** The process that asks, which measures what is made. */
export interface Asking extends Makers, Pick<Timing, "quietly"> {
  /** That there is no queue any more, where it can be lost; its reason is a typed error. */
  readonly gone?: AbortSignal;
  /** Ends the queue: all who take part leave. */
  end(): Promise<void>;
}

/** Milliseconds for which makers that were started are waited for: they read the same data first. */
const COMING = 60_000;

/** Counts makers with those of the started ones that have not come yet. */
export const withComing = (started: number, present: () => Promise<number>) => {
  const since = performance.now();
  let came = 0;
  return async (): Promise<number> => {
    const there = await present();
    came = Math.max(came, there);
    const coming = performance.now() - since < COMING ? Math.max(0, started - came) : 0;
    return there + coming;
  };
};

/** Opens the queue of a run, whose lock this process has; so many makers were started with it. */
export const openQueue = async (run: string, leases: Leases, started = 0): Promise<Asking> => {
  const dir = queueIn(run);
  const { jobs, job } = places(dir);
  await remove(dir);
  await makeFolder(jobs);
  const lease = await leases.take(dir);
  const { present, quietly } = timingIn(dir, leases);
  return {
    quietly,
    count: withComing(started, async () => (await present()).length),
    wait: () => sleep(LOOK),
    async offer(asked) {
      await makeFolder(job(asked.number));
      await writeFileDurable(join(job(asked.number), JOB), json(asked));
    },
    async ended(numbers) {
      const all = await Promise.all(
        numbers.map(async (n) => [n, await parsed<Made>(join(job(n), ENDED))] as const),
      );
      return new Map(all.flatMap(([n, made]) => (made === undefined ? [] : [[n, made] as const])));
    },
    async takeBack(number) {
      const taken = await leases.take(job(number));
      if (taken === undefined) return false;
      await remove(job(number));
      await taken();
      return true;
    },
    close: () => remove(jobs),
    async end() {
      await lease?.();
      await remove(dir);
    },
  };
};

/** A job that this process is at. */
export interface Taken {
  readonly job: Job;
  /** Whether it is still asked for. */
  isAsked(): boolean;
  /** Notes what became of it, unless another has taken it over; of what is left on purpose nothing. */
  end(made: Made | undefined): Promise<void>;
}

/** A process that makes what is asked for. */
export interface Maker extends Pick<Resting, "rest"> {
  /** The next job; undefined where there is none now. */
  next(): Promise<Taken | undefined>;
  leave(): Promise<void>;
}

/** What becomes of a job in which so many processes have ended. */
export const givenUp = (tries: number): Made => ({
  ...{ stopped: false, rungs: [], rows: [] },
  error: `the process ended in it ${tries} times, as where memory runs out`,
});

const triesIn = async (folder: string): Promise<number> => (await parsed<number>(join(folder, TRIES))) ?? 0;

/** Takes a job; undefined where it has ended, is another's, or is no longer asked for. */
const takeJob = async (folder: string, leases: Leases): Promise<Taken | undefined> => {
  const [asked, ended] = [join(folder, JOB), join(folder, ENDED)];
  const isOpen = (): boolean => existsSync(asked) && !existsSync(ended);
  const lease = isOpen() ? await leases.take(folder) : undefined;
  if (lease === undefined) return undefined;
  const [job, tries] = [await parsed<Job>(asked), await triesIn(folder)];
  const end = endOf(folder, lease);
  if (job === undefined || !isOpen()) await lease();
  else if (tries >= MOST_TRIES) {
    await end(givenUp(tries));
  } else {
    const path = join(folder, TRIES);
    await guarded("writing", path, () => writeFile(path, String(tries + 1)));
    return { job, isAsked: () => existsSync(asked), end };
  }
  return undefined;
};

const endOf = (folder: string, lease: Unlock) => async (made: Made | undefined) => {
  if (existsSync(join(folder, JOB)) && (await lease.isMine())) {
    if (made !== undefined) await writeFileDurable(join(folder, ENDED), json(made));
    // One that was left on purpose is none in which the process ended.
    else await writeFile(join(folder, TRIES), String((await triesIn(folder)) - 1)).catch(() => {});
  }
  await lease();
};

/** Takes part in the queue of a run. */
export const joinQueue = async (run: string, leases: Leases): Promise<Maker> => {
  const dir = queueIn(run);
  const { jobs, job } = places(dir);
  const { rest, work, idle, leave } = await restingIn(dir, leases);
  return {
    ...{ rest, leave },
    async next() {
      await idle();
      const numbers = (await namesIn(jobs)).map(Number).sort((a, b) => a - b);
      for (const number of numbers) {
        const taken = await takeJob(job(number), leases);
        if (taken === undefined) continue;
        await work();
        return taken;
      }
      await sleep(LOOK);
      return undefined;
    },
  };
};
