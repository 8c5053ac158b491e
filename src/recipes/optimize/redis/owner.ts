/**
 * The process that owns a search over Redis: it asks others for dense models, which come to its folder as if
 * they had been made there, and measures. What does not come whole it makes itself. A Redis that has
 * forgotten a job is told of it again.
 */
import { readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { guarded, makeFolder, remove, syncFolder } from "../../../node/files/files.ts";
import type { Leases } from "../../../node/files/lease.ts";
import type { SentFile } from "../../../node/redis/files.ts";
import type { Job, Made } from "../../../search/candidates/makers.ts";
import { baseKey } from "../../../search/candidates/space.ts";
import type { Trial } from "../../../search/trial.ts";
import { DataError } from "../../../util/errors.ts";
import type { Ui } from "../../context/ui.ts";
import { jobOf } from "../../redis/messages.ts";
import { type Owned, takeQueue, tending } from "../../redis/owning.ts";
import { type Asking, LOOK, withComing } from "../queue.ts";
import { timingIn } from "../quiet.ts";
import { BASE, baseIn, written } from "../store.ts";
import { cameOf, isWhole, trialLine } from "./messages.ts";
import { quietPlace } from "./place.ts";

/** Milliseconds that the last look has. */
const LEAVES = 5000;

/** What an owner has. */
export interface Owning extends Owned {
  /** The folder of the search. */
  readonly dir: string;
  readonly leases: Leases;
  /** Makers that were started with it. */
  readonly started: number;
  /** The trials that have ended so far. */
  readonly trials: () => readonly Trial[];
  readonly ui: Ui;
}

/** What became of a job whose model did not come: the owner makes it. */
const unmade: Made = { stopped: false, rungs: [], rows: [] };

const coming = (dir: string): string => join(dir, "coming");

/** Puts the dense model of a job where it would have been made, whole or not at all. Throws DataError. */
const receive = async ({ jobs, study, dir }: Owning, job: Job, files: readonly SentFile[]): Promise<void> => {
  const [from, to] = [coming(dir), baseIn(dir, baseKey(job.values))];
  await remove(from);
  await jobs.fetch(jobOf(study, job.number), files, from);
  const words = await readFile(join(from, BASE), "utf8").catch(() => "");
  if (!isWhole(words, files))
    throw new DataError("is no model that came by Redis", { file: join(from, BASE) });
  await syncFolder(from);
  await remove(to);
  await makeFolder(dirname(to));
  await guarded("renaming", to, () => rename(from, to));
};

/** What became of a job, once its model is here. */
const received = async (owning: Owning, job: Job, result: unknown): Promise<Made> => {
  const { ui, dir } = owning;
  const came = cameOf(result);
  const again = (why: string): Made => {
    ui.warn(`the model of trial ${job.number} ${why}: it is made here`);
    return unmade;
  };
  if (came === undefined) return again("could not be read as it came by Redis");
  if (came.files === undefined) return again("was not sent by Redis");
  if (came.files.length === 0) return came.made;
  try {
    await receive(owning, job, came.files);
    return came.made;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    await remove(coming(dir));
    return again("did not come whole by Redis");
  }
};

/** What is asked for, and what became of it. */
const askedBy = (owning: Owning) => {
  const { jobs, study, trials } = owning;
  const [open, made, lines] = [new Map<number, Job>(), new Map<number, Made>(), [] as string[]];
  const add = (job: Job): Promise<void> => jobs.add(jobOf(study, job.number), () => written(job));
  const collect = async (): Promise<void> => {
    for (const { id, result } of await jobs.ended()) {
      const job = [...open.values()].find((each) => jobOf(study, each.number) === id);
      if (job !== undefined) {
        made.set(job.number, await received(owning, job, result));
        open.delete(job.number);
      }
      await jobs.forget(id);
      await jobs.drop(id, cameOf(result)?.files ?? []);
    }
  };
  let before: Promise<unknown> = Promise.resolve();
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const now = before.then(work);
    before = now.catch(() => {});
    return now;
  };
  const tellTrials = (): Promise<void> =>
    inTurn(() => {
      lines.push(...trials().slice(lines.length).map(trialLine));
      return jobs.tellLines(lines);
    });
  return {
    async tend(): Promise<void> {
      await tellTrials();
      await collect();
      for (const job of open.values()) await add(job); // It is there, unless Redis has forgotten it.
    },
    async offer(job: Job): Promise<void> {
      await tellTrials();
      open.set(job.number, job);
      await add(job);
    },
    made: (numbers: readonly number[]): ReadonlyMap<number, Made> =>
      new Map(numbers.flatMap((n) => (made.has(n) ? [[n, made.get(n)!] as const] : []))),
    async takeBack(number: number): Promise<boolean> {
      const job = open.get(number);
      open.delete(number);
      const isTaken = await jobs.takeBack(jobOf(study, number));
      if (!isTaken && job !== undefined) open.set(number, job);
      return isTaken;
    },
    async close(): Promise<void> {
      open.clear();
      await inTurn(jobs.clear);
    },
  };
};

/** Owns a search, whose folder is open. Throws BusyError where another search has the queue. */
export const ownSearch = async (owning: Owning): Promise<Asking> => {
  const { jobs, study, dir, leases, started } = owning;
  await takeQueue(owning, true);
  await jobs.preside(study);
  const [place, asked] = [quietPlace(study), askedBy(owning)];
  const timing = timingIn(place, leases);
  let timed = 0;
  const { tend, gone, stop } = tending(owning, async () => {
    if (timed === 0) await asked.tend(); // What is timed is timed alone.
  });
  const unlessGone = (work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => {
      if (!gone.aborted) throw error; // That Redis is gone is told by `gone`.
    });
  return {
    ...{ gone, offer: asked.offer, takeBack: asked.takeBack },
    count: withComing(started, () => jobs.present()),
    wait: () => sleep(LOOK),
    async ended(numbers) {
      await tend();
      return asked.made(numbers);
    },
    close: () => unlessGone(asked.close()),
    async quietly(work) {
      timed++;
      try {
        await unlessGone(tend());
        return await timing.quietly(work);
      } finally {
        timed--;
      }
    },
    async end() {
      stop();
      timed++;
      const last = tend().catch(() => {}); // What is on its way is let come.
      await Promise.race([last, sleep(LEAVES, undefined, { ref: false })]);
      await jobs.close(study);
      for (const left of [coming(dir), place]) await remove(left);
    },
  };
};
