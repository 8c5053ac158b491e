/**
 * What a search asks other processes to make, in OUT/run/search/queue, which machines may share: jobs/N holds
 * what is asked for a trial, the lease of who is at it, and what became of it; makers/ has a folder for each
 * process. One that is gone leaves its job to the next. While something is timed, makers of the same machine
 * rest: each holds the file `busy` while it computes, and looks for the lock of `quiet` between two batches.
 */
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeFileDurable } from "../../node/files/checkpoints.ts";
import { guarded, makeFolder, remove } from "../../node/files/files.ts";
import type { Leases } from "../../node/files/lease.ts";
import type { Unlock } from "../../node/files/lock.ts";
import type { Job, Made, Makers } from "../../search/candidates/makers.ts";
import { read, searchIn, written } from "./store.ts";

const [JOB, ENDED, TRIES, BUSY] = ["job.json", "ended.json", "tries", "busy"] as const;
/** So often a process may end in a job before that has failed. */
const MOST_TRIES = 3;
/** Milliseconds between two looks: at jobs, and at whether others rest. */
const [LOOK, REST] = [200, 20];

/** The folder of a run's queue. */
export const queueIn = (run: string): string => join(searchIn(run), "queue");

const places = (dir: string) => ({
  jobs: join(dir, "jobs"),
  job: (number: number): string => join(dir, "jobs", String(number)),
  makers: join(dir, "makers"),
  quiet: join(dir, "quiet"),
});

/** What the names of this machine's makers begin with. */
const own = (): string => `${encodeURIComponent(hostname())}~`;
const namesIn = (dir: string): Promise<string[]> => readdir(dir).catch(() => []);
const json = (value: unknown): Uint8Array[] => [Buffer.from(`${written(value)}\n`)];
const parsed = async <T>(path: string): Promise<T | undefined> => {
  const text = await readFile(path, "utf8").catch(() => undefined);
  return text === undefined ? undefined : (read(text) as T);
};

/** The process that asks, which measures what is made. */
export interface Asking extends Makers {
  /** Does what times something while no maker of this machine computes. */
  quietly<T>(work: () => Promise<T>): Promise<T>;
  /** Ends the queue: all who take part leave. */
  end(): Promise<void>;
}

/** Milliseconds for which makers that were started are waited for: they read the same data first. */
const COMING = 60_000;

/** The makers that there are: how many, and whether any of this machine computes. */
const makersIn = (makers: string, leases: Leases, started: number) => {
  const present = async (): Promise<string[]> => {
    const names = await namesIn(makers);
    const held = await Promise.all(names.map((name) => leases.isHeld(join(makers, name))));
    return names.filter((_, i) => held[i]);
  };
  const computing = async (): Promise<boolean> => {
    const here = (await present()).filter((name) => name.startsWith(own()));
    return here.some((name) => existsSync(join(makers, name, BUSY)));
  };
  const since = performance.now();
  let came = 0;
  const count = async (): Promise<number> => {
    const there = (await present()).length;
    came = Math.max(came, there);
    const coming = performance.now() - since < COMING ? Math.max(0, started - came) : 0;
    return there + coming;
  };
  return { count, computing };
};

/** Opens the queue of a run, whose lock this process has; so many makers were started with it. */
export const openQueue = async (run: string, leases: Leases, started = 0): Promise<Asking> => {
  const dir = queueIn(run);
  const { jobs, job, makers, quiet } = places(dir);
  await remove(dir);
  await makeFolder(jobs);
  const lease = await leases.take(dir);
  const { count, computing } = makersIn(makers, leases, started);
  return {
    count,
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
    async quietly(work) {
      const hush = await leases.take(quiet);
      try {
        while (await computing()) await sleep(REST);
        return await work();
      } finally {
        await hush?.();
      }
    },
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
export interface Maker {
  /** The next job; undefined where there is none now. */
  next(): Promise<Taken | undefined>;
  /** Waits while something is timed on this machine. */
  rest(): Promise<void>;
  leave(): Promise<void>;
}

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
    const error = `the process ended in it ${tries} times, as where memory runs out`;
    await end({ stopped: false, rungs: [], rows: [], error });
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
  const { jobs, job, makers, quiet } = places(queueIn(run));
  const self = join(makers, `${own()}${process.pid}`);
  const lease = await leases.take(self);
  const busy = join(self, BUSY);
  const rest = async (): Promise<void> => {
    if (!existsSync(join(quiet, "lock"))) return;
    await remove(busy);
    while (await leases.isHeld(quiet)) await sleep(REST);
    return work();
  };
  const work = async (): Promise<void> => {
    await writeFile(busy, "");
    // It may have become quiet meanwhile.
    await rest();
  };
  return {
    rest,
    async next() {
      await remove(busy);
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
    async leave() {
      await lease?.();
      await remove(self).catch(() => {});
    },
  };
};
