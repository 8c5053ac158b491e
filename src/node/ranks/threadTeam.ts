/** Ranks on worker threads of this process: `rankWorker.ts` runs there. */
import { fileURLToPath } from "node:url";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Crew, Order, Team } from "../../distribute/team.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { RankPlan } from "../../train/ranks/rank.ts";
import { ConfigError, RunError } from "../../util/errors.ts";
import { type Ports, portCollective } from "./portCollective.ts";

/** What a thread is started with. */
export interface RankStart {
  readonly rank: number;
  readonly plan: RankPlan;
  readonly ports: Ports;
}

/** What a thread says: that it is there, or what came of an order. */
export interface RankAnswer {
  readonly result?: ReadonlyMap<string, Tensor> | undefined;
  readonly failed?: string;
}

/** The compiled form of the worker, from the sources as from the package. */
const program = fileURLToPath(new URL("../../../dist/node/ranks/rankWorker.js", import.meta.url));

/** A port from each rank to each other. */
const mesh = (size: number): (MessagePort | null)[][] => {
  const ports = Array.from({ length: size }, () => new Array<MessagePort | null>(size).fill(null));
  for (let a = 0; a < size; a++) {
    for (let b = a + 1; b < size; b++) {
      const { port1, port2 } = new MessageChannel();
      ports[a]![b] = port1;
      ports[b]![a] = port2;
    }
  }
  return ports;
};

interface Thread {
  readonly worker: Worker;
  /** Its next answer. */
  answer(): Promise<ReadonlyMap<string, Tensor> | undefined>;
  readonly ended: Promise<void>;
}

/** What a thread is told, besides orders. */
export type Told = Order | { readonly do: "end" };

const startThread = (start: RankStart, fail: (error: RunError) => void): Thread => {
  const transferList = start.ports.filter((port) => port !== null);
  const worker = new Worker(program, { workerData: { rankStart: start }, transferList, execArgv: [] });
  const waiting: { done(result: RankAnswer["result"]): void; failed(error: RunError): void }[] = [];
  let why: RunError | undefined;
  const end = (what: string, cause?: unknown): void => {
    why ??= new RunError(`replica ${start.rank} ${what}`, { cause });
    for (const { failed } of waiting.splice(0)) failed(why);
    fail(why);
  };
  worker.on("message", ({ result, failed }: RankAnswer) => {
    if (failed === undefined) waiting.shift()?.done(result);
    else end(`failed: ${failed}`);
  });
  worker.on("error", (cause: unknown) => {
    end(`failed: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  });
  const ended = new Promise<void>((resolve) => {
    worker.on("exit", (code) => {
      end(`ended with code ${code}`);
      resolve();
    });
  });
  return {
    worker,
    ended,
    answer: () =>
      new Promise((done, failed) => {
        if (why === undefined) waiting.push({ done, failed });
        else failed(why);
      }),
  };
};

const start = async (plans: readonly RankPlan[]): Promise<Crew> => {
  const ports = mesh(plans.length);
  let fail: (error: RunError) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Nobody may be waiting when a thread ends.
  failure.catch(() => {});
  const threads = plans
    .slice(1)
    .map((plan, i) => startThread({ rank: i + 1, plan, ports: ports[i + 1]! }, fail));
  const end = async (): Promise<void> => {
    // They leave by themselves: a thread that is terminated inside onnxruntime takes the process with it.
    for (const { worker } of threads) worker.postMessage({ do: "end" } satisfies Told);
    await Promise.all(threads.map((thread) => thread.ended));
    for (const port of ports[0]!) port?.close();
  };
  try {
    await Promise.all(threads.map((thread) => thread.answer()));
  } catch (error) {
    await end();
    throw error;
  }
  return {
    collective: portCollective(0, ports[0]!, failure),
    async order(rank: number, order: Order) {
      const { worker, answer } = threads[rank - 1]!;
      worker.postMessage(order);
      return answer();
    },
    end,
  };
};

/** Ranks on `size` threads, the calling one among them. Throws ConfigError unless that is a whole number. */
export const threadTeam = (size: number): Team => {
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new ConfigError(`${size} replicas cannot train`, {
      field: "train.replicas",
      hint: "give a whole number from 1 on",
    });
  }
  return { size, start };
};
