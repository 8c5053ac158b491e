/** The process that owns a search over Redis: it looks after the queue while it does other things. */
import type { Jobs } from "../../node/redis/jobs.ts";
import { BusyError, ConfigError } from "../../util/errors.ts";
import type { Ranks } from "../context/hooks.ts";
import { toldOf } from "./messages.ts";

/** Milliseconds between two looks at what has come back. */
const LOOK = 250;

/** What an owner has. */
export interface Owned {
  readonly jobs: Jobs;
  readonly study: string;
  /** What others have to have alike. */
  readonly material: unknown;
}

/** Throws ConfigError where a launcher has started processes: they share OUT. */
export const requireUnlaunched = (ranks: Ranks | undefined): void => {
  if (ranks === undefined) return;
  throw new ConfigError("is for processes that no launcher starts: ranks share OUT", {
    field: "queue",
    hint: "leave out --queue, or start each process by itself, all but the first with --join",
  });
};

/**
 * Takes the queue, and drops jobs of another search in it; those of the same one, too, where it is begun
 * `anew`. Throws BusyError where another search has it.
 */
export const takeQueue = async ({ jobs, study, material }: Owned, anew = false): Promise<void> => {
  if (!(await jobs.own(study))) {
    throw new BusyError("the queue in Redis is another search's", {
      field: "queue",
      hint: "wait for it, or name another queue: redis://HOST:PORT#NAME",
    });
  }
  const before = toldOf((await jobs.subject()) ?? "");
  if (anew || before?.study !== study) await jobs.clear();
  await jobs.tell(JSON.stringify({ study, material }));
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

/** Looks after a queue. */
export interface Tending {
  /** Works once, after what is under way. Throws BusyError where the queue is another's by now. */
  tend(): Promise<void>;
  /** That the queue, or Redis itself, is lost; its reason is a typed error. */
  readonly gone: AbortSignal;
  /** Ends working by itself. */
  stop(): void;
}

/** Works every quarter of a second, as long as the queue is this process's. */
export const tending = ({ jobs, study }: Omit<Owned, "material">, work: () => Promise<void>): Tending => {
  const tend = oneByOne(async () => {
    if (!(await jobs.own(study))) throw new BusyError("the queue in Redis was taken by another search");
    await work();
  });
  const gone = new AbortController();
  const timer = setInterval(() => tend().catch((error: unknown) => gone.abort(error)), LOOK);
  timer.unref();
  return { tend, gone: AbortSignal.any([gone.signal, jobs.lost]), stop: () => clearInterval(timer) };
};
