/**
 * Rest while something is timed on a machine, in a folder that its processes see: makers/ has a folder for
 * each that makes models, which holds the file `busy` while it computes and looks for the lock of `quiet`
 * between two batches.
 */
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { remove } from "../../node/files/files.ts";
import type { Leases } from "../../node/files/lease.ts";

const BUSY = "busy";
/** Milliseconds between two looks at whether others rest. */
const REST = 20;

const places = (dir: string) => ({ makers: join(dir, "makers"), quiet: join(dir, "quiet") });

/** What the names of this machine's makers begin with. */
const own = (): string => `${encodeURIComponent(hostname())}~`;

/** The process that times something. */
export interface Timing {
  /** The makers that there are, by name. */
  present(): Promise<readonly string[]>;
  /** Does what times something while no maker of this machine computes. */
  quietly<T>(work: () => Promise<T>): Promise<T>;
}

/** Times something beside the makers of a folder. */
export const timingIn = (dir: string, leases: Leases): Timing => {
  const { makers, quiet } = places(dir);
  const present = async (): Promise<readonly string[]> => {
    const names = await readdir(makers).catch(() => [] as string[]);
    const held = await Promise.all(names.map((name) => leases.isHeld(join(makers, name))));
    return names.filter((_, i) => held[i]);
  };
  const computing = async (): Promise<boolean> => {
    const here = (await present()).filter((name) => name.startsWith(own()));
    return here.some((name) => existsSync(join(makers, name, BUSY)));
  };
  return {
    present,
    async quietly(work) {
      const hush = await leases.take(quiet);
      try {
        while (await computing()) await sleep(REST);
        return await work();
      } finally {
        await hush?.();
      }
    },
  };
};

/** A process that rests while something is timed. */
export interface Resting {
  /** Waits while something is timed. */
  rest(): Promise<void>;
  /** Computes from now on, once nothing is timed. */
  work(): Promise<void>;
  /** Computes nothing from now on. */
  idle(): Promise<void>;
  leave(): Promise<void>;
}

/** Rests with the other makers of a folder. Throws RunError where it cannot be written. */
export const restingIn = async (dir: string, leases: Leases): Promise<Resting> => {
  const { makers, quiet } = places(dir);
  const self = join(makers, `${own()}${process.pid}`);
  const lease = await leases.take(self);
  const busy = join(self, BUSY);
  const idle = (): Promise<void> => remove(busy);
  const rest = async (): Promise<void> => {
    if (!existsSync(join(quiet, "lock"))) return;
    await idle();
    while (await leases.isHeld(quiet)) await sleep(REST);
    return work();
  };
  const work = async (): Promise<void> => {
    await writeFile(busy, "");
    // It may have become quiet meanwhile.
    await rest();
  };
  return {
    ...{ rest, work, idle },
    async leave() {
      await lease?.();
      await remove(self).catch(() => {});
    },
  };
};
