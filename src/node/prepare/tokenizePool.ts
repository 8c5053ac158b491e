/** Encodes many texts on several threads. The ids are those of one thread, in the order of the texts. */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { type EncodeOptions, loadTokenizer, type TokenizerFiles } from "../../tokenizer/index.ts";
import { ConfigError, RunError } from "../../util/errors.ts";
import { encodeAll, type TokenizeAnswer, type TokenizeStart, type TokenizeTask } from "./tokenizeWorker.ts";

/** How many threads encode. */
export interface TokenizePoolOptions {
  /** Threads that encode; with 1 the calling thread does. */
  readonly threads: number;
}

/** The ids of many texts. */
export interface EncodedTexts {
  /** The ids of all texts end to end. */
  readonly ids: Uint32Array;
  /** `[texts + 1]`: text `i` has the ids from `offsets[i]` to `offsets[i + 1]`. */
  readonly offsets: Uint32Array;
}

/** Threads that encode. */
export interface TokenizePool {
  /**
   * The ids of texts, as `encode` with these options gives them. Throws what `encode` throws, and RunError
   * where a thread ends.
   */
  encodeMany(texts: readonly string[], options?: EncodeOptions): Promise<EncodedTexts>;
  /** Ends the threads; what is not encoded by then is not. */
  close(): Promise<void>;
}

/** Fewer UTF-16 units than this are encoded sooner than a thread has got them. */
const LITTLE = 1 << 16;
/** UTF-16 units of a task, a text more or less. */
const TASK = 1 << 18;
/** Tasks that a thread has at a time: the next is there when one is done. */
const AHEAD = 2;

/** The compiled form of the worker, from the sources as from the package. */
const program = fileURLToPath(new URL("../../../dist/node/prepare/tokenizeWorker.js", import.meta.url));

interface Job {
  readonly texts: readonly string[];
  readonly options: EncodeOptions;
  readonly done: (answer: TokenizeAnswer) => void;
  readonly failed: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly jobs: Map<number, Job>;
}

/** Texts in order, in groups of about `TASK` units. */
const groupsOf = (texts: readonly string[]): string[][] => {
  const groups: string[][] = [];
  let room = 0;
  for (const text of texts) {
    if (room <= 0) {
      groups.push([]);
      room = TASK;
    }
    groups.at(-1)!.push(text);
    room -= text.length;
  }
  return groups;
};

const joined = (parts: readonly EncodedTexts[], texts: number): EncodedTexts => {
  const ids = new Uint32Array(parts.reduce((sum, part) => sum + part.ids.length, 0));
  const offsets = new Uint32Array(texts + 1);
  let [at, text] = [0, 0];
  for (const part of parts) {
    ids.set(part.ids, at);
    for (let i = 1; i < part.offsets.length; i++) offsets[++text] = at + part.offsets[i]!;
    at += part.ids.length;
  }
  return { ids, offsets };
};

/** A thread that gives its jobs their answers, asks `feed` for more then, and tells `end` why it ended. */
const startThread = (
  files: TokenizerFiles,
  feed: (thread: Thread) => void,
  end: (error: unknown) => void,
): Thread => {
  const workerData: TokenizeStart = { tokenizePool: files };
  // What node itself was started with (`--input-type`, a loader) is not for the worker's file.
  const worker = new Worker(program, { workerData, execArgv: [] });
  const thread: Thread = { worker, jobs: new Map() };
  worker.on("message", (answer: TokenizeAnswer) => {
    const job = thread.jobs.get(answer.task);
    thread.jobs.delete(answer.task);
    if (job !== undefined && answer.failed !== undefined) job.failed(answer.failed);
    else job?.done(answer);
    feed(thread);
  });
  worker.on("error", (cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    end(new RunError(`a tokenizing thread failed: ${why}`, { cause }));
  });
  worker.on("exit", (code) => end(new RunError(`a tokenizing thread ended with code ${code}`)));
  return thread;
};

/** Threads that take jobs as they get free. */
const threadPool = (files: TokenizerFiles, count: number) => {
  const queue: Job[] = [];
  const threads: Thread[] = [];
  let tasks = 0;
  let ended: unknown;
  const end = (error: unknown): void => {
    ended ??= error;
    const all = [...queue.splice(0), ...threads.flatMap(({ jobs }) => [...jobs.values()])];
    for (const { jobs } of threads) jobs.clear();
    for (const job of all) job.failed(ended);
  };
  const feed = (thread: Thread): void => {
    while (thread.jobs.size < AHEAD && queue.length > 0) {
      const job = queue.shift()!;
      const task: TokenizeTask = { task: tasks++, texts: job.texts, options: job.options };
      thread.jobs.set(task.task, job);
      thread.worker.ref();
      thread.worker.postMessage(task);
    }
    // A pool that has nothing to do keeps no process alive.
    if (thread.jobs.size === 0) thread.worker.unref();
  };
  const encode = (texts: readonly string[], options: EncodeOptions): Promise<EncodedTexts> =>
    new Promise((done, failed) => {
      if (ended !== undefined) return failed(ended);
      queue.push({ texts, options, done, failed });
      if (threads.length < count) threads.push(startThread(files, feed, end));
      // The thread with the fewest jobs, so that all begin at once.
      feed(threads.reduce((a, b) => (b.jobs.size < a.jobs.size ? b : a)));
    });
  const close = async (): Promise<void> => {
    end(new RunError("the pool of tokenizing threads is closed"));
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  };
  return { encode, close };
};

/**
 * A pool of threads with the tokenizer of `files`. Throws FormatError where they describe none, and
 * ConfigError where `threads` is no whole number above 0.
 */
export const tokenizePool = (files: TokenizerFiles, { threads }: TokenizePoolOptions): TokenizePool => {
  if (!Number.isSafeInteger(threads) || threads < 1)
    throw new ConfigError(`${threads} threads cannot encode`, { field: "threads" });
  const own = loadTokenizer(files.tokenizer, files.config);
  const pool = threadPool(files, threads);
  return {
    async encodeMany(texts, options = {}) {
      const groups = groupsOf(texts);
      const units = texts.reduce((sum, text) => sum + text.length, 0);
      if (threads === 1 || groups.length < 2 || units < LITTLE) return encodeAll(own, texts, options);
      return joined(await Promise.all(groups.map((group) => pool.encode(group, options))), texts.length);
    },
    close: pool.close,
  };
};
