/**
 * One process at a time in a run's directory. The lock is a file placed by link(2), so it is whole or not
 * there. A lock whose owner is dead is removed under a second lock beside it, so that two newcomers never
 * both take it over.
 */
import { randomUUID } from "node:crypto";
import { link, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BusyError } from "../../util/errors.ts";
import { guarded, makeFolder } from "./files.ts";
import { discard, isAlive, isDying, statOf } from "./leftovers.ts";

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** When the process began, in ticks since boot, where the system tells: a process id is used again. */
  readonly began?: string | undefined;
  /** Tells one taking of the lock from another of the same process. */
  readonly id?: string | undefined;
}

/** Field 22 of /proc/PID/stat. */
const beganAt = (pid: number): string | undefined => statOf(pid)[19];

const isHeldBy = ({ pid, host, began }: Owner): boolean => {
  // A process on another machine counts as alive: nobody here can tell.
  if (host !== hostname()) return true;
  if (!isAlive(pid)) return false;
  const now = beganAt(pid);
  return began === undefined || now === undefined || began === now;
};

/** One that was killed is waited for: a launcher may be back before the last of its ranks is gone. */
const holds = async (owner: Owner): Promise<boolean> => {
  for (let waits = 0; waits < 300 && isHeldBy(owner); waits++) {
    if (owner.host !== hostname() || !isDying(owner.pid)) return true;
    await sleep(100);
  }
  return isHeldBy(owner);
};

/** Places the lock whole: a link of a finished file either succeeds or finds another's. */
const place = async (path: string, owner: Owner): Promise<boolean> => {
  const temporary = `${path}.${process.pid}-${owner.id}`;
  try {
    await writeFile(temporary, JSON.stringify(owner));
    await link(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await discard(temporary);
  }
};

/** "gone": no lock there; undefined: one that says nothing, as a power failure may leave. */
const ownerOf = async (path: string): Promise<Owner | "gone" | undefined> => {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return "gone";
  try {
    const owner = JSON.parse(text) as Owner | null;
    return Number.isSafeInteger(owner?.pid) && owner!.pid > 0 && typeof owner?.host === "string"
      ? owner
      : undefined;
  } catch {
    return undefined;
  }
};

const busy = (path: string, owner: Owner | undefined): BusyError => {
  const who = owner === undefined ? "another process" : `process ${owner.pid} on ${owner.host}`;
  return new BusyError(`is in use by ${who}`, {
    file: dirname(path),
    hint: `wait for it, or delete ${path} if it is gone`,
  });
};

/**
 * Takes the lock at `path`; `depth` counts the locks of locks, each needed only if a process died in a
 * takeover.
 */
const take = async (path: string, me: Owner, depth: number): Promise<void> => {
  for (let attempt = 0; !(await place(path, me)); attempt++) {
    const owner = await ownerOf(path);
    if (owner === "gone" && attempt < 10) continue;
    if (owner === "gone" || depth === 0 || (owner !== undefined && (await holds(owner)))) {
      throw busy(path, owner === "gone" ? undefined : owner);
    }
    const guard = `${path}.takeover`;
    await take(guard, me, depth - 1);
    try {
      // Looked at again under the guard: the stale lock may be gone and a live one stand in its place.
      const still = await ownerOf(path);
      if (still !== "gone" && (still === undefined || !(await holds(still)))) await rm(path, { force: true });
    } finally {
      await release(guard, me);
    }
  }
};

/** Gives the lock back, unless it is another's by now. */
const release = async (path: string, me: Owner): Promise<void> => {
  const owner = await ownerOf(path);
  if (owner !== "gone" && owner?.id === me.id) await rm(path, { force: true });
};

/** Whether a process holds the lock of `dir`. */
export const isLocked = async (dir: string): Promise<boolean> => {
  const owner = await ownerOf(join(dir, "lock"));
  return owner !== "gone" && owner !== undefined && (await holds(owner));
};

/** Deletes what dead processes left beside the lock: half of a lock, a takeover that was not ended. */
const sweepLocks = async (dir: string): Promise<void> => {
  for (const name of await readdir(dir)) {
    if (!/^lock\.(\d+-|takeover)/.test(name)) continue;
    const owner = await ownerOf(join(dir, name));
    const pid = Number(/(?:^|\.)(\d+)-/.exec(name)?.[1]);
    const dead = owner === undefined ? !isAlive(pid) : owner !== "gone" && !(await holds(owner));
    if (dead) await discard(join(dir, name));
  }
};

/**
 * Takes the lock of `dir` (made where missing) and returns what gives it back. A lock left by a dead
 * process of this machine is taken over. Throws BusyError naming the owner.
 */
export const lockRun = async (dir: string): Promise<() => Promise<void>> => {
  const path = join(dir, "lock");
  await makeFolder(dir);
  const me = { pid: process.pid, host: hostname(), began: beganAt(process.pid), id: randomUUID() };
  await guarded("locking", path, () => take(path, me, 3));
  await sweepLocks(dir).catch(() => {});
  return () => guarded("unlocking", path, () => release(path, me));
};
