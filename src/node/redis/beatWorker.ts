/**
 * Gives Redis signs of life every few seconds, whatever the main thread is at: that a process is there, that
 * it owns a queue, and that it is at a job.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { RedisAddress } from "./address.ts";
import { connect, loadBull } from "./client.ts";
import { BEAT, hold, holdQueue, keysOf, PREFIX, STANDS } from "./keys.ts";

/** Whose signs of life they are. */
export interface Beats {
  readonly address: RedisAddress;
  /** Names the process among those that take jobs, where it does. */
  readonly self?: string;
  /** What the owner of the queue holds it by. */
  readonly study?: string;
}
/** The job that the process is at; undefined for none. */
export type Held = { readonly id: string; readonly token: string } | undefined;
/** What the thread tells: that another has the job by now. */
export interface Lost {
  readonly token: string;
}

if (parentPort !== null && workerData?.address !== undefined) {
  const { address, self, study } = workerData as Beats;
  const port = parentPort;
  const { redis } = await connect(address);
  const { Queue } = await loadBull();
  const queue = new Queue(address.name, { connection: redis, prefix: PREFIX });
  queue.on("error", () => {});
  let held: Held;
  const extend = async (at: NonNullable<Held>): Promise<void> => {
    const job = await queue.getJob(at.id);
    const isMine = ((await job?.extendLock(at.token, STANDS).catch(() => 0)) ?? 0) === 1;
    if (!isMine && held === at) port.postMessage({ token: at.token } satisfies Lost);
  };
  const beat = async (): Promise<void> => {
    if (self !== undefined) await hold(redis, keysOf(address).workers, self);
    if (study !== undefined) await holdQueue(redis, keysOf(address).owner, study);
    if (held !== undefined) await extend(held);
  };
  // A server that is gone is told of by the main thread's own connection.
  setInterval(() => beat().catch(() => {}), BEAT);
  port.on("message", (at: Held) => {
    held = at;
  });
}
