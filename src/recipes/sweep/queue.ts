/**
 * A sweep's trials as a queue from which several processes take: the log says what was begun and what has
 * ended, a lease in a trial's folder who is at it. Who looks for a trial does so alone, by all that the
 * others have told; what a process that is gone had begun is gone on with by the next.
 */
import { join } from "node:path";
import { discard } from "../../node/files/files.ts";
import type { Leases } from "../../node/files/lease.ts";
import type { Unlock } from "../../node/files/lock.ts";
import type { SamplerName } from "../../search/samplers/index.ts";
import type { Space } from "../../search/space/space.ts";
import { study } from "../../search/study.ts";
import type { Trial } from "../../search/trial.ts";
import { defined } from "../../util/defined.ts";
import { type Ended, type Logged, logBegin, logEnd, logPause, readTrials } from "./log.ts";

/** What a queue is made with. */
export interface QueueOptions {
  /** The folder of the sweep. */
  readonly dir: string;
  readonly space: Space;
  readonly sampler: SamplerName;
  readonly seed: number;
  /** Trials in all. */
  readonly most: number;
  readonly leases: Leases;
  /** Whether time is what is short: samplers then weigh what each trial takes. */
  readonly timed: boolean;
}

/** A trial that this process is to run. */
export interface Taken {
  readonly trial: Trial;
  /** All others, as they stood when it was taken. */
  readonly others: readonly Trial[];
  readonly lease: Unlock;
}

/** The trials of a sweep. */
export interface Queue {
  /** The next trial; "wait" where others are at all that is left, undefined where nothing is. */
  next(): Promise<Taken | "wait" | undefined>;
  /** Notes how a trial ended, or that it is left to be gone on with; false where another has taken it over.
   * */
  end(taken: Taken, ended: Ended | undefined): Promise<boolean>;
}

/** So often a process may end in a trial before that has failed. */
const BEGUN = 3;

/** What becomes of a trial in which processes end again and again: one that runs out of memory. */
const givenUp = ({ judge = { name: "", better: "less" as const } }: Logged): Ended => ({
  ...{ state: "failed", judge, seconds: 0, steps: 0 },
  error: `the process ended in it ${BEGUN} times, as where memory runs out`,
});

/** The folder of a trial. */
export const trialIn = (dir: string, { number }: Pick<Trial, "number">): string =>
  join(dir, `trial-${number}`);

/** Takes the first trial that was begun and that nobody is at; says whether somebody is at any. */
const left = async ({ dir, leases }: QueueOptions) => {
  let busy = false;
  for (const logged of readTrials(dir)) {
    if (logged.state !== "running") continue;
    const folder = trialIn(dir, logged);
    const lease = await leases.take(folder);
    if (lease === undefined) busy = true;
    else if (logged.begun >= BEGUN) {
      logEnd(dir, logged.number, givenUp(logged));
      await lease();
    } else {
      // Its run was locked by who is gone, be it on another machine.
      await discard(join(folder, "run", "lock"));
      const { begun: _, ...trial } = logged;
      return { trial, lease, busy };
    }
  }
  return { busy };
};

/** The queue of a sweep's folder. */
export const queueIn = (options: QueueOptions): Queue => {
  const { dir, space, sampler, seed, most, leases, timed } = options;
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => leases.inTurn(join(dir, "queue"), work);
  const taken = (trial: Trial, lease: Unlock): Taken => {
    logBegin(dir, trial.number, trial.values);
    return { trial, lease, others: readTrials(dir).filter(({ number }) => number !== trial.number) };
  };
  return {
    next: () =>
      inTurn(async () => {
        const { trial, lease, busy } = await left(options);
        if (trial !== undefined) return taken(trial, lease);
        const trials = readTrials(dir);
        const known = timed ? trials.map((t) => ({ ...t, ...defined({ compute: t.seconds }) })) : trials;
        const asked = trials.length < most ? study(space, { sampler, seed, trials: known }).ask() : undefined;
        if (asked === undefined) return busy ? "wait" : undefined;
        const own = await leases.take(trialIn(dir, asked));
        return own === undefined ? "wait" : taken(asked, own);
      }),
    end: ({ trial: { number }, lease }, ended) =>
      inTurn(async () => {
        const isMine = await lease.isMine();
        if (isMine && ended === undefined) logPause(dir, number);
        else if (isMine && ended !== undefined) logEnd(dir, number, ended);
        await lease();
        return isMine;
      }),
  };
};
