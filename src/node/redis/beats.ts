/** Signs of life of a process to Redis, given by a thread, since the main one may compute for minutes. */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Beats, Held, Lost } from "./beatWorker.ts";

/** The compiled form of the thread, from the sources as from the package. */
const program = fileURLToPath(new URL("../../../dist/node/redis/beatWorker.js", import.meta.url));

/** Signs of life of a process. */
export interface Beating {
  begin(beats: Beats): void;
  /** Holds a job until `release`; `lost` says that another has it. */
  hold(id: string, token: string): { readonly lost: AbortSignal; release(): void };
  end(): Promise<void>;
}

/** Signs of life from now on, once they are begun. */
export const beating = (): Beating => {
  let worker: Worker | undefined;
  const taken = new Map<string, AbortController>();
  return {
    begin(beats: Beats): void {
      worker ??= new Worker(program, { workerData: beats, execArgv: [] });
      worker.unref();
      worker.on("error", () => {}); // A server that is gone is told of by the main thread's connection.
      worker.on("message", ({ token }: Lost) => taken.get(token)?.abort());
    },
    hold(id: string, token: string) {
      const controller = new AbortController();
      taken.set(token, controller);
      worker?.postMessage({ id, token } satisfies Held);
      const release = (): void => {
        taken.delete(token);
        worker?.postMessage(undefined satisfies Held);
      };
      return { lost: controller.signal, release };
    },
    end: async (): Promise<void> => {
      await worker?.terminate();
      worker = undefined;
    },
  };
};
