/** Taking part in what another process has begun in a folder that it has locked. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError } from "../../util/errors.ts";
import type { Leases } from "./lease.ts";
import { isLocked } from "./lock.ts";

/** Milliseconds between two looks, and for which a beginning is waited for. */
const [LOOK, PATIENCE] = [500, 60_000];

/** What is waited for. */
export interface Beginning {
  readonly dir: string;
  /** What is in the folder once it is begun. */
  readonly file: string;
  readonly leases: Leases;
  /** The folder whose lock says that a process is on its way to begin; the same unless told. */
  readonly by?: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits until a process has begun what is joined: it has the lock of the folder, and the file is there.
 * Throws
 * ConfigError where for a minute none is on its way.
 */
export const begun = async ({ dir, file, leases, signal, by = dir }: Beginning): Promise<void> => {
  let since = performance.now();
  while (!((await leases.isHeld(dir)) && existsSync(join(dir, file)))) {
    if (await isLocked(by)) since = performance.now();
    if (performance.now() - since > PATIENCE) {
      throw new ConfigError("has no search under way that could be joined", {
        field: "join",
        file: dir,
        hint: "start it by the same command without --join first",
      });
    }
    await sleep(LOOK);
    signal?.throwIfAborted();
  }
};

/** Whether a process has the lock of a folder, until `end`. */
export interface WhileHeld {
  /** That it is gone. */
  readonly gone: AbortSignal;
  end(): Promise<void>;
}

/** Watches the process that has the lock of a folder. */
export const whileHeld = (dir: string, leases: Leases): WhileHeld => {
  const controller = new AbortController();
  const timer = setInterval(async () => {
    const held = await leases.isHeld(dir).catch(() => true);
    if (!held) controller.abort();
  }, LOOK);
  timer.unref();
  return {
    gone: controller.signal,
    async end(): Promise<void> {
      clearInterval(timer);
    },
  };
};
