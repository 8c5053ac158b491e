/** Makes the parts of many files on several threads. */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import * as errors from "../../util/errors.ts";
import { type MadePart, type PartRun, type PartSettings, partMaker } from "./parts.ts";
import type { PartAnswer, PartStart, PlainError } from "./partWorker.ts";

/** The compiled form of the worker, from the sources as from the package. */
const program = fileURLToPath(new URL("../../../dist/node/prepare/partWorker.js", import.meta.url));

const revived = ({ name, message, details }: PlainError): Error => {
  const classes = errors as Record<string, new (message: string) => Error>;
  const error = Object.hasOwn(classes, name) ? new classes[name]!("") : new errors.RunError("");
  return Object.assign(error, { message, details: details ?? {} });
};

/** Where parts go, how they are made, and by how many threads. */
export interface PartPoolOptions {
  readonly dir: string;
  readonly settings: PartSettings;
  readonly threads: number;
  readonly signal?: AbortSignal;
  readonly onMade?: (made: MadePart) => void;
}

/** Files smaller than this in all are done sooner than threads have started. */
const LITTLE = 2 ** 20;

interface Queue {
  /** The next task that nobody has, and where its result goes. */
  next(): number | undefined;
  done(index: number, made: MadePart): void;
}

/** One thread works until the queue is empty. */
const work = (worker: Worker, paths: readonly string[], queue: Queue): Promise<void> =>
  new Promise((resolve, reject) => {
    let at: number | undefined;
    const feed = (): void => {
      at = queue.next();
      if (at === undefined) resolve();
      else worker.postMessage(paths[at]!);
    };
    worker.on("message", (answer: PartAnswer) => {
      if ("error" in answer) return reject(revived(answer.error));
      queue.done(at!, answer.made);
      feed();
    });
    worker.on("error", reject);
    worker.on("exit", (code) =>
      reject(new errors.RunError(`a thread that makes parts ended with code ${code}`)),
    );
    feed();
  });

const onThreads = async (paths: readonly string[], queue: Queue, options: PartPoolOptions): Promise<void> => {
  const { threads, signal, dir, settings } = options;
  const workerData: PartStart = { partWorker: { dir, settings } };
  const workers = Array.from(
    { length: Math.min(threads, paths.length) },
    () => new Worker(program, { workerData, execArgv: [] }),
  );
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal!.reason);
    signal?.addEventListener("abort", stop, { once: true });
  });
  try {
    const all = Promise.all(workers.map((worker) => work(worker, paths, queue)));
    await Promise.race([all, aborted]);
  } finally {
    signal?.removeEventListener("abort", stop);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
};

/** The parts of `files`, in their order. Throws what reading and writing throw, or the signal's reason. */
export const makeParts = async (
  files: readonly { readonly path: string; readonly sizeBytes: number }[],
  options: PartPoolOptions,
): Promise<MadePart[]> => {
  const { dir, settings, threads, signal, onMade } = options;
  const paths = files.map(({ path }) => path);
  const made: MadePart[] = new Array(files.length);
  // The largest first, so that none is left alone at the end.
  const order = Array.from(files.keys()).sort((a, b) => files[b]!.sizeBytes - files[a]!.sizeBytes || a - b);
  let taken = 0;
  const queue: Queue = {
    next: () => order[taken++],
    done(index, part) {
      made[index] = part;
      onMade?.(part);
    },
  };
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (threads > 1 && total > LITTLE) await onThreads(paths, queue, options);
  else {
    const make = partMaker({ dir, settings } satisfies PartRun);
    for (let i = queue.next(); i !== undefined; i = queue.next()) {
      signal?.throwIfAborted();
      queue.done(i, await make(paths[i]!));
    }
  }
  return made;
};
