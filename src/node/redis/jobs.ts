/**
 * Jobs in Redis that processes take from each other, by BullMQ (https://docs.bullmq.io): each is one process's
 * at a time, and goes back to the others where that gives no sign of life for half a minute. One process owns
 * the queue: it says what the jobs are about, adds them and takes what they came to.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { RedisAddress } from "./address.ts";
import { type Beating, beating } from "./beats.ts";
import {
  type BullJob,
  type BullQueue,
  type BullWorker,
  connect,
  loadBull,
  type Redis,
  redisError,
} from "./client.ts";
import { dropFiles, fetchFiles, type Sending, type SentFile, sendFiles, trialFiles } from "./files.ts";
import { hold, holdQueue, keysOf, overOf, PREFIX, present, STANDS } from "./keys.ts";

/** Milliseconds between two looks for jobs that are left, and for which the end of a queue is told. */
const [STALLED, TOLD] = [10_000, 60_000];
/** Milliseconds that a server has for a farewell. */
const PATIENCE = 5000;
/** Processes may end in a job this often, by BullMQ: who takes one decides what is too often. */
const STALLS = 1000;
/** What ended jobs and lines are asked for at a time, and the longest subject, in bytes. */
const [ENDED, LINES, SUBJECT] = [100, 1000, 2 ** 23];

/** A job that this process is at. What it is about came from Redis, and is not to be trusted. */
export interface TakenJob {
  readonly id: string;
  readonly data: unknown;
  /** How often a process has ended in it. */
  readonly stalls: number;
  /** Aborted where another has taken it over. */
  readonly lost: AbortSignal;
  /** Notes what it came to; false where it is another's by now. */
  end(result: unknown): Promise<boolean>;
  /** Leaves it to the others; false where it is another's by now. */
  leave(): Promise<boolean>;
}

/** What a job came to, as whoever did it says. */
export interface EndedJob {
  readonly id: string;
  readonly result: unknown;
}

/** The jobs of a queue. All throw RunError, ConfigError where Redis does not do what is asked. */
export interface Jobs {
  /** Aborted with a RunError where Redis has gone away for good. */
  readonly lost: AbortSignal;
  /** Takes the queue as its owner; false where another has it. */
  own(study: string): Promise<boolean>;
  /** What the queue is held by; undefined where nobody owns it. */
  owner(): Promise<string | undefined>;
  /** Whether `study` has come to its end in order. */
  isOver(study: string): Promise<boolean>;
  /** What the jobs are about; undefined where nothing is told, or too much. */
  subject(): Promise<string | undefined>;
  tell(subject: string): Promise<void>;
  /** Lines that the owner has told, from the one at `from`, some at a time. */
  lines(from: number): Promise<readonly string[]>;
  /** Tells those of some lines that are not told yet: the first ones are those that were. */
  tellLines(lines: readonly string[]): Promise<void>;
  /** From now on this process counts among those that take jobs, and gives signs of life. */
  arrive(study?: string): Promise<void>;
  /** From now on this process gives signs of life as the owner of `study`, and takes no jobs. */
  preside(study: string): Promise<void>;
  /** Processes that take jobs. */
  present(): Promise<number>;
  /** Adds a job, unless one of this name is there. */
  add(id: string, data: () => unknown): Promise<void>;
  take(): Promise<TakenJob | undefined>;
  /** Jobs that have ended and were not forgotten, some at a time. */
  ended(): Promise<readonly EndedJob[]>;
  forget(id: string): Promise<void>;
  /** Takes back a job that no process is at; false where one is. */
  takeBack(id: string): Promise<boolean>;
  /** Drops all jobs, and the lines that were told. */
  clear(): Promise<void>;
  /** Sends the files that a job came to; undefined where they are too large. */
  send(id: string, dir: string): Promise<readonly SentFile[] | undefined>;
  /** Writes what was sent into a new folder. Throws DataError where it did not arrive whole. */
  fetch(id: string, files: readonly SentFile[], dir: string): Promise<void>;
  /** Drops what was sent. */
  drop(id: string, files: readonly SentFile[]): Promise<void>;
  /** Leaves; an owner ends the queue of `study`. */
  close(study?: string): Promise<void>;
}

/** Whether an error of BullMQ says that a job is another's by now, or dropped. */
const isTaken = (error: unknown): boolean =>
  error instanceof Error && /^(Missing (lock|key)|Job .* is not in|Lock mismatch)/.test(error.message);

const orTaken = (error: unknown): false => {
  if (isTaken(error)) return false;
  throw error;
};

const isLocked = (error: unknown): boolean =>
  error instanceof Error && /is locked by another worker/.test(error.message);

type Asked = <T>(work: () => Promise<T>) => Promise<T>;

/** Who owns a queue, and what it is about. */
const ownership = (redis: Redis, address: RedisAddress, asked: Asked) => {
  const keys = keysOf(address);
  const text = (key: string): Promise<string | undefined> =>
    asked(async () => {
      const found = await redis.call("GETRANGE", key, 0, SUBJECT);
      return typeof found === "string" && found !== "" && found.length < SUBJECT ? found : undefined;
    });
  return {
    own: (study: string) => asked(() => holdQueue(redis, keys.owner, study)),
    owner: () => text(keys.owner),
    isOver: async (study: string) => (await text(keys.owner)) === overOf(study),
    subject: () => text(keys.subject),
    tell: (subject: string) => asked(async () => void (await redis.call("SET", keys.subject, subject))),
    lines: (from: number) =>
      asked(async () => (await redis.call("LRANGE", keys.lines, from, from + LINES - 1)) as string[]),
    tellLines: (lines: readonly string[]) =>
      asked(async () => {
        const more = lines.slice(Number(await redis.call("LLEN", keys.lines)));
        if (more.length > 0) await redis.call("RPUSH", keys.lines, ...more);
      }),
    present: () => asked(() => present(redis, keys.workers)),
    async end(study: string): Promise<void> {
      await redis.call("DEL", keys.subject, keys.lines);
      await redis.call("SET", keys.owner, overOf(study), "PX", TOLD);
    },
  };
};

/** The jobs, as their owner sees them. */
const adding = (redis: Redis, queue: BullQueue, { lines, asked }: { lines: string; asked: Asked }) => ({
  add: (id: string, data: () => unknown) =>
    asked(async () => {
      if ((await redis.call("EXISTS", queue.toKey(id))) === 1) return;
      await queue.add("job", data(), { jobId: id });
    }),
  ended: () =>
    asked(async () => {
      const jobs = await queue.getCompleted(0, ENDED - 1);
      return jobs.flatMap((job) => (job === undefined ? [] : [{ id: job.id, result: job.returnvalue }]));
    }),
  forget: (id: string) => asked(async () => (await queue.getJob(id))?.remove()),
  takeBack: (id: string) =>
    asked(async () => {
      try {
        await (await queue.getJob(id))?.remove();
        return true;
      } catch (error) {
        if (isLocked(error)) return false;
        throw error;
      }
    }),
  clear: () =>
    asked(async () => {
      await queue.obliterate({ force: true });
      await redis.call("DEL", lines);
    }),
});

/** Takes jobs, one at a time. */
const taking = (taker: BullWorker, beats: Beating, asked: Asked) => {
  const taken = (job: BullJob, token: string): TakenJob => {
    const { lost, release } = beats.hold(job.id, token);
    const leaving = (work: () => Promise<unknown>): Promise<boolean> => {
      release();
      return asked(() => work().then(() => true, orTaken));
    };
    return {
      ...{ id: job.id, data: job.data, stalls: job.stalledCounter, lost },
      end: (result) => leaving(() => job.moveToCompleted(result, token, false)),
      leave: () => leaving(() => job.moveToWait(token)),
    };
  };
  return () =>
    asked(async () => {
      const token = randomUUID();
      const job = await taker.getNextJob(token, { block: false });
      return job === undefined ? undefined : taken(job, token);
    });
};

/**
 * Opens the queue at `address`, whose jobs come to files of the kind `sending`. Throws MissingError,
 * ConfigError, as `connect` does.
 */
export const openJobs = async (address: RedisAddress, sending: Sending = trialFiles): Promise<Jobs> => {
  const { Queue, Worker } = await loadBull();
  const { redis, lost, close } = await connect(address);
  const [{ workers, lines, files }, self, beats] = [keysOf(address), randomUUID(), beating()];
  const shared = { connection: redis, prefix: PREFIX };
  const times = { lockDuration: STANDS, stalledInterval: STALLED, maxStalledCount: STALLS };
  const queue = new Queue(address.name, shared);
  const taker = new Worker(address.name, null, { ...shared, ...times, autorun: false });
  for (const each of [queue, taker]) each.on("error", () => {});
  const asked: Asked = async (work) => {
    try {
      return await work();
    } catch (error) {
      throw lost.aborted ? lost.reason : redisError(address, error as Error);
    }
  };
  const { end, ...owned } = ownership(redis, address, asked);
  const goodbye = async (study: string | undefined): Promise<void> => {
    await redis.call("ZREM", workers, self);
    // Where another has taken the queue over it is left as it is.
    if (study !== undefined && (await owned.own(study))) {
      await queue.obliterate({ force: true });
      await end(study);
    }
  };
  const within = (work: Promise<unknown>): Promise<unknown> =>
    Promise.race([work.catch(() => {}), sleep(PATIENCE, undefined, { ref: false })]);
  return {
    ...{ lost, ...owned, ...adding(redis, queue, { lines, asked }), take: taking(taker, beats, asked) },
    send: (id, dir) => asked(() => sendFiles(redis, { key: files(id), dir, sending })),
    fetch: (id, sent, dir) => asked(() => fetchFiles(redis, { key: files(id), files: sent, dir, sending })),
    drop: (id, sent) => asked(() => dropFiles(redis, files(id), sent)),
    arrive: (study) =>
      asked(async () => {
        await hold(redis, workers, self);
        beats.begin({ address, self, ...(study === undefined ? {} : { study }) });
        await taker.startStalledCheckTimer();
      }),
    preside: (study) =>
      asked(async () => {
        beats.begin({ address, study });
        await taker.startStalledCheckTimer();
      }),
    async close(study) {
      await beats.end();
      if (!lost.aborted) await within(goodbye(study)); // Else what gives no sign of life is given up.
      await within(Promise.all([taker.close(true), queue.close()]));
      close();
    },
  };
};
