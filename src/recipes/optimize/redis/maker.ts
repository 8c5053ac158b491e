/**
 * A process that makes dense models for a search over Redis: each is made in a folder of this process's own
 * and sent to the owner.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Model } from "../../../models/model.ts";
import { discard } from "../../../node/files/files.ts";
import { leases } from "../../../node/files/lease.ts";
import { makeScratch } from "../../../node/files/scratch.ts";
import type { SentFile } from "../../../node/redis/files.ts";
import type { Jobs, TakenJob } from "../../../node/redis/jobs.ts";
import type { Job } from "../../../search/candidates/makers.ts";
import { baseKey } from "../../../search/candidates/space.ts";
import { checkValues, type Space } from "../../../search/space/space.ts";
import type { Trial } from "../../../search/trial.ts";
import { defined } from "../../../util/defined.ts";
import { RunError } from "../../../util/errors.ts";
import type { Ui } from "../../context/ui.ts";
import { type Joining, joinOwner } from "../../redis/joining.ts";
import { jobOf } from "../../redis/messages.ts";
import type { Joined } from "../joined.ts";
import { givenUp, LOOK, MOST_TRIES, type Taken } from "../queue.ts";
import { restingIn } from "../quiet.ts";
import { baseIn, densesIn, type JoinedStore } from "../store.ts";
import { jobSaid, toldCame, trialSaid } from "./messages.ts";
import { leavePlace, quietPlace } from "./place.ts";

/** Milliseconds between two looks at what became of other trials. */
const LEARNS = 2000;

/** What a process joins a search with. */
export interface JoiningSearch extends Joining {
  readonly space: Space;
  /** The model that is searched from. */
  readonly whole: Model;
}

/** Where jobs are made, and of which search. */
interface Place {
  readonly jobs: Jobs;
  readonly study: string;
  readonly space: Space;
  readonly ui: Ui;
  /** This process's own. */
  readonly dir: string;
}

/** What a job asks for. Throws RunError where it is none of this search: another writes into the queue. */
const jobIn = ({ id, data }: TakenJob, { study, space }: Place): Job => {
  const job = jobSaid(data);
  try {
    if (job === undefined || id !== jobOf(study, job.number)) throw new TypeError("is no job");
    checkValues(space, job.values);
    return job;
  } catch (cause) {
    throw new RunError("what the queue in Redis holds is no job of this search", {
      cause,
      hint: "see that nothing else writes there, or name another queue: redis://HOST:PORT#NAME",
    });
  }
};

/** Sends the dense model that a job came to; undefined where it could not be. */
const sent = async (
  id: string,
  dir: string,
  { jobs, ui }: Place,
): Promise<readonly SentFile[] | undefined> => {
  try {
    const files = await jobs.send(id, dir);
    if (files === undefined) ui.warn("a model is too large to be sent: the search's process makes it");
    return files;
  } catch (error) {
    if (jobs.lost.aborted) throw error;
    ui.warn(error instanceof Error ? error.message : String(error));
    return undefined;
  }
};

/** A job as makers have it; undefined where it needed no work. */
const takenFrom = async (taken: TakenJob, place: Place): Promise<Taken | undefined> => {
  const { id, stalls, lost } = taken;
  const job = jobIn(taken, place);
  if (stalls >= MOST_TRIES) {
    await taken.end(toldCame({ made: givenUp(stalls), files: [] }));
    return undefined;
  }
  const dir = baseIn(place.dir, baseKey(job.values));
  return {
    job,
    isAsked: () => !lost.aborted,
    async end(made) {
      try {
        if (made === undefined) await taken.leave();
        else await taken.end(toldCame({ made, ...defined({ files: await sent(id, dir, place) }) }));
      } finally {
        await discard(dir);
      }
    },
  };
};

/** The trials that have ended so far, as the owner tells of them now and then. */
const learning = (jobs: Jobs) => {
  const known: Trial[] = [];
  let at = 0;
  let now: Promise<void> | undefined;
  const read = async (): Promise<void> => {
    const lines = await jobs.lines(at);
    at += lines.length;
    known.push(...lines.flatMap((line) => trialSaid(line) ?? []));
  };
  const learn = (): Promise<void> => {
    now ??= read().finally(() => {
      now = undefined;
    });
    return now;
  };
  const timer = setInterval(() => learn().catch(() => {}), LEARNS); // That Redis is gone is told elsewhere.
  timer.unref();
  return { known, learn, end: () => clearInterval(timer) };
};

/** Dense models in this process's own folder, for as long as it takes to send them. */
const storeIn = ({ dir, ui }: Place, whole: Model, trials: JoinedStore["trials"]): JoinedStore => {
  const { dense, keep } = densesIn(dir, whole);
  return {
    ...{ dense, trials },
    // What cannot be kept is not sent: the owner makes it.
    keep: (key, kept) =>
      keep(key, kept).catch(async (error: unknown) => {
        ui.warn(error instanceof Error ? error.message : String(error));
        await discard(baseIn(dir, key));
      }),
  };
};

/** Joins a search. Throws ConfigError where there is none, or where it is another's. */
export const joinSearch = async ({ whole, space, ...joining }: JoiningSearch): Promise<Joined> => {
  const { jobs, ui } = joining;
  const { study, gone, look, stop } = await joinOwner(joining);
  const own = leases();
  const quiet = quietPlace(study);
  const { rest, work, idle, leave } = await restingIn(quiet, own);
  const place: Place = { jobs, study, space, ui, dir: await makeScratch("makes") };
  const { known, learn, end } = learning(jobs);
  await jobs.arrive();
  const next = async (): Promise<Taken | undefined> => {
    await idle();
    await look();
    const taken = gone.aborted ? undefined : await jobs.take();
    const job = taken === undefined ? undefined : await takenFrom(taken, place);
    await (job === undefined ? sleep(LOOK) : learn());
    if (job !== undefined) await work();
    return job;
  };
  return {
    ...{ gone, store: storeIn(place, whole, () => known), maker: { rest, next, leave } },
    async isThere() {
      await look().catch(() => {});
      return jobs.lost.aborted || !gone.aborted;
    },
    async leave() {
      for (const each of [stop, end]) each();
      await jobs.close();
      await leave();
      await leavePlace(quiet);
      own.close();
      await discard(place.dir);
    },
  };
};
