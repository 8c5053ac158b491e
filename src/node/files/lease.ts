/**
 * Leases: locks of folders that processes of several machines share. Who has one touches it every few
 * seconds, on a thread of its own; one that was not touched for long is taken to be left, as one is whose
 * process is gone from this machine. Each asks only whether the time of a lock has changed, and counts by its
 * own clock:
 * those of machines differ.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { BusyError } from "../../util/errors.ts";
import { type Holds, holds, isLocked, lockRun, type Unlock } from "./lock.ts";
import type { Renewal } from "./renewWorker.ts";

/** Milliseconds between two touches, and without one after which a lease is taken to be left. */
const [RENEWED, SILENT] = [5000, 120_000];
/** Milliseconds between two looks at a lock that is waited for. */
const LOOK = 25;

/** How often a lease is touched, and how long it stands without that. */
export interface LeaseOptions {
  readonly everyMs?: number;
  readonly silentMs?: number;
}

/** The leases of a process. */
export interface Leases {
  /** Takes the lease of a folder; undefined where another process has it. */
  take(dir: string): Promise<Unlock | undefined>;
  /** Touches the lock of a folder, which this process holds already, until `close`. */
  renew(dir: string): void;
  /** Whether a process has the lease of a folder. */
  isHeld(dir: string): Promise<boolean>;
  /** Works while no other process does so by this folder; waits for its turn. */
  inTurn<T>(dir: string, work: () => Promise<T>): Promise<T>;
  /** Ends touching. */
  close(): void;
}

/** The compiled form of the thread, from the sources as from the package. */
const program = fileURLToPath(new URL("../../../dist/node/files/renewWorker.js", import.meta.url));

/** Touches files on a thread, since the main one may compute for minutes. */
const renewing = (everyMs: number) => {
  let worker: Worker | undefined;
  const tell = (said: Renewal): void => {
    if (worker === undefined) {
      worker = new Worker(program, { workerData: { everyMs }, execArgv: [] });
      worker.unref();
      worker.on("error", () => {}); // Without a thread a lease stands for as long as its process is there.
    }
    worker.postMessage(said);
  };
  return {
    tell,
    close: (): void => worker?.postMessage({ ends: true } satisfies Renewal),
  };
};

/** Says of owners whether they are there, by what this process has seen of their locks. */
const watching = (silentMs: number): Holds => {
  const seen = new Map<string, { readonly text: string; readonly at: number }>();
  return async (owner, path) => {
    if (!(await holds(owner, path))) return false;
    const touched = await stat(path).catch(() => undefined);
    if (touched === undefined) return false;
    const text = `${owner.id} ${touched.mtimeMs}`;
    const before = seen.get(path);
    if (before?.text === text) return performance.now() - before.at < silentMs;
    seen.set(path, { text, at: performance.now() });
    return true;
  };
};

const orBusy = (error: unknown): undefined => {
  if (error instanceof BusyError) return undefined;
  throw error;
};

/** Leases of this process. */
export const leases = ({ everyMs = RENEWED, silentMs = SILENT }: LeaseOptions = {}): Leases => {
  const held = watching(silentMs);
  const { tell, close } = renewing(everyMs);
  return {
    close,
    isHeld: (dir) => isLocked(dir, held),
    renew: (dir) => tell({ path: join(dir, "lock"), renews: true }),
    async take(dir) {
      const unlock = await lockRun(dir, held).catch(orBusy);
      if (unlock === undefined) return undefined;
      const path = join(dir, "lock");
      tell({ path, renews: true });
      const release = async (): Promise<void> => {
        tell({ path, renews: false });
        await unlock();
      };
      return Object.assign(release, { isMine: unlock.isMine });
    },
    async inTurn(dir, work) {
      for (;;) {
        const unlock = await lockRun(dir, held).catch(orBusy);
        if (unlock === undefined) {
          // Processes that wait look at different times.
          await sleep(LOOK + (process.pid % LOOK));
          continue;
        }
        try {
          return await work();
        } finally {
          await unlock();
        }
      }
    },
  };
};
