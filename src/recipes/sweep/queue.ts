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

/** What is asked of the sampler, and how often. */
export interface Asking {
  readonly space: Space;
  readonly sampler: SamplerName;
  readonly seed: number;
  /** Trials in all. */
  readonly most: number;
  /** Whether time is what is short: samplers then weigh what each trial takes. */
  readonly timed: boolean;
}

/** What a queue in a folder is made with. */
export interface QueueOptions extends Asking {
  /** The folder of the sweep. */
  readonly dir: string;
  readonly leases: Leases;
}

/** A trial that this process is to run. */
export interface Taken {
  readonly trial: Trial;
  /** All others, as they stood when it was taken. */
  readonly others: readonly Trial[];
  /** Aborted where another process has taken it over, if that is told before its end. */
  readonly lost?: AbortSignal;
  /** Notes how it ended, or that it is left to be gone on with; false where another has taken it over. */
  end(ended: Ended | undefined): Promise<boolean>;
}

/** The trials of a sweep, as processes take them from each other. */
export interface Queue {
  /** The next trial; "wait" where others are at all that is left, undefined where nothing is. */
  next(): Promise<Taken | "wait" | undefined>;
  /** All trials, as far as this process knows. */
  trials(): readonly Logged[];
}

/** The next trial that the sampler asks for; undefined where there are enough, or all was tried. */
export const asked = ({ space, sampler, seed, most, timed }: Asking, trials: readonly Logged[]) => {
  const known = timed ? trials.map((t) => ({ ...t, ...defined({ compute: t.seconds }) })) : trials;
  return trials.length < most ? study(space, { sampler, seed, trials: known }).ask() : undefined;
};

/** So often a process may end in a trial before that has failed. */
export const BEGUN = 3;

/** What becomes of a trial in which processes end again and again: one that runs out of memory. */
export const givenUp = ({ judge = { name: "", better: "less" as const } }: Pick<Logged, "judge">): Ended => ({
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
  const { dir, leases } = options;
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => leases.inTurn(join(dir, "queue"), work);
  const ended = ({ number }: Trial, lease: Unlock, end: Ended | undefined): Promise<boolean> =>
    inTurn(async () => {
      const isMine = await lease.isMine();
      if (isMine && end === undefined) logPause(dir, number);
      else if (isMine && end !== undefined) logEnd(dir, number, end);
      await lease();
      return isMine;
    });
  const taken = (trial: Trial, lease: Unlock): Taken => {
    logBegin(dir, trial.number, trial.values);
    const others = readTrials(dir).filter(({ number }) => number !== trial.number);
    return { trial, others, end: (end) => ended(trial, lease, end) };
  };
  return {
    trials: () => readTrials(dir),
    next: () =>
      inTurn(async () => {
        const { trial, lease, busy } = await left(options);
        if (trial !== undefined) return taken(trial, lease);
        const next = asked(options, readTrials(dir));
        if (next === undefined) return busy ? "wait" : undefined;
        const own = await leases.take(trialIn(dir, next));
        return own === undefined ? "wait" : taken(next, own);
      }),
  };
};
