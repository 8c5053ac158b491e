/** Processes of this machine that take part in a search: the same command again, with --join. */
import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { RunOptions } from "../../recipes/config/options.ts";
import { ConfigError } from "../../util/errors.ts";
import { REDIS_URL } from "./queue.ts";
import { launched } from "./ranks.ts";

/** The flags of verbs that search in several processes. */
export interface WorkerFlags {
  readonly workers?: number;
  readonly join?: boolean | undefined;
  readonly queue?: string;
}

/** Milliseconds that workers have to see that the search has ended, and then to leave. */
const [SEES, LEAVES] = [5000, 30_000];

/** What is of the first process alone: how many there are, whether it goes on, what it prints. */
const APART = /^--((workers|queue)(=.*)?|resume|json)$/;

/** What workers are started with. */
export interface WorkersOptions {
  /** Of each. */
  readonly threads: number;
  /** The URL of a Redis by which they share. */
  readonly queue?: string | undefined;
}

/** The words of a command line that starts a worker of it. */
export const workerWords = (words: readonly string[], threads: number, queue?: string): string[] => {
  const isValue = (i: number): boolean => ["--workers", "--queue"].includes(words[i - 1]!);
  const own = words.filter((word, i) => !APART.test(word) && !isValue(i));
  const shared = queue === undefined ? [] : ["--queue", "redis"];
  return [...own, ...shared, "--threads", String(threads), "--quiet", "--join"];
};

/** Options with a share of the machine's cores for each of some processes, where they leave the threads open.
 * */
export const sharingCores = (options: RunOptions, processes: number): RunOptions =>
  options.threads > 0 || processes <= 1
    ? options
    : { ...options, threads: Math.max(1, Math.floor(availableParallelism() / processes)) };

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

const within = async (children: readonly ChildProcess[], ms: number): Promise<boolean> => {
  const until = performance.now() + ms;
  while (!children.every(ended) && performance.now() < until) await sleep(50);
  return children.every(ended);
};

/** Throws ConfigError where a launcher has started several processes already. */
export const requireAlone = (workers: number | undefined): void => {
  const found = workers === undefined ? undefined : launched();
  if (found === undefined) return;
  throw new ConfigError(`are ${workers}, where ${found.by} has started ${found.size} processes`, {
    field: "workers",
    hint: "leave out --workers: each rank takes part in the search",
  });
};

/** Starts as many workers; resolves to what waits for their end, and sends home those that linger. */
const startWorkers = (count: number, { threads, queue }: WorkersOptions): (() => Promise<void>) => {
  const words = workerWords(process.argv.slice(2), threads, queue);
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...words], {
      stdio: ["ignore", "ignore", "inherit"],
      // An interruption is the first process's to hear: the others leave with it.
      detached: true,
      env: { ...process.env, ...(queue === undefined ? {} : { [REDIS_URL]: queue }) },
    }),
  );
  for (const child of children) child.on("error", () => {}); // The search goes on without it.
  return async () => {
    if (await within(children, SEES)) return;
    for (const child of children) if (!ended(child)) child.kill("SIGTERM");
    if (await within(children, LEAVES)) return;
    for (const child of children) if (!ended(child)) child.kill("SIGKILL");
  };
};

/** Works with as many workers beside this process. */
export const withWorkers = async <T>(
  count: number,
  options: WorkersOptions,
  work: () => Promise<T>,
): Promise<T> => {
  const end = startWorkers(count, options);
  try {
    return await work();
  } finally {
    await end();
  }
};
