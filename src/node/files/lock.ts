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

/** Who holds a lock. */
export interface Owner {
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

/** Says whether the owner of the lock at `path` is still there. */
export type Holds = (owner: Owner, path: string) => Promise<boolean>;

/** One that was killed is waited for: a launcher may be back before the last of its ranks is gone. */
export const holds: Holds = async (owner) => {
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

/**
 * Who holds the lock at `path`; "gone": no lock there; undefined: one that says nothing, as a power failure
 * may leave.
 */
export const ownerOf = async (path: string): Promise<Owner | "gone" | undefined> => {
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

interface Taking {
  readonly me: Owner;
  readonly held: Holds;
}

/**
 * Takes the lock at `path`; `depth` counts the locks of locks, each needed only if a process died in a
 * takeover.
 */
const take = async (path: string, taking: Taking, depth: number): Promise<void> => {
  const { me, held } = taking;
  for (let attempt = 0; !(await place(path, me)); attempt++) {
    const owner = await ownerOf(path);
    if (owner === "gone" && attempt < 10) continue;
    if (owner === "gone" || depth === 0 || (owner !== undefined && (await held(owner, path)))) {
      throw busy(path, owner === "gone" ? undefined : owner);
    }
    const guard = `${path}.takeover`;
    await take(guard, taking, depth - 1);
    try {
      // Looked at again under the guard: the stale lock may be gone and a live one stand in its place.
      const still = await ownerOf(path);
      const dead = still === undefined || (still !== "gone" && !(await held(still, path)));
      if (dead) await rm(path, { force: true });
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
export const isLocked = async (dir: string, held: Holds = holds): Promise<boolean> => {
  const path = join(dir, "lock");
  const owner = await ownerOf(path);
  return owner !== "gone" && owner !== undefined && (await held(owner, path));
};

/** Deletes what dead processes left beside the lock: half of a lock, a takeover that was not ended. */
const sweepLocks = async (dir: string, held: Holds): Promise<void> => {
  for (const name of await readdir(dir)) {
    if (!/^lock\.(\d+-|takeover)/.test(name)) continue;
    const owner = await ownerOf(join(dir, name));
    const pid = Number(/(?:^|\.)(\d+)-/.exec(name)?.[1]);
    const dead =
      owner === undefined ? !isAlive(pid) : owner !== "gone" && !(await held(owner, join(dir, name)));
    if (dead) await discard(join(dir, name));
  }
};

/** Gives a lock back; `isMine` tells whether it is still this one, which others may have taken for dead. */
export interface Unlock {
  (): Promise<void>;
  isMine(): Promise<boolean>;
}

/**
 * Takes the lock of `dir` (made where missing) and returns what gives it back. A lock whose owner is dead, as
 * `held` says, is taken over: one of this machine unless told. Throws BusyError naming the owner.
 */
export const lockRun = async (dir: string, held: Holds = holds): Promise<Unlock> => {
  const path = join(dir, "lock");
  await makeFolder(dir);
  const me = { pid: process.pid, host: hostname(), began: beganAt(process.pid), id: randomUUID() };
  await guarded("locking", path, () => take(path, { me, held }, 3));
  await sweepLocks(dir, held).catch(() => {});
  const isMine = async (): Promise<boolean> => {
    const owner = await ownerOf(path);
    return owner !== "gone" && owner?.id === me.id;
  };
  return Object.assign(() => guarded("unlocking", path, () => release(path, me)), { isMine });
};
