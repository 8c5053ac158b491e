/** One process at a time in a run's directory. */
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { BusyError } from "../util/errors.ts";
import { guarded } from "./files.ts";

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
};

/** Places the lock whole: a link of a finished file either succeeds or finds another's. */
const place = async (path: string): Promise<boolean> => {
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, JSON.stringify({ pid: process.pid, host: hostname() }));
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
};

const ownerOf = async (path: string): Promise<{ pid: number; host: string } | undefined> => {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
};

/**
 * Takes the lock of `dir` (made where missing) and returns what gives it back. A lock left by a dead process of this
 * machine is taken over. Throws BusyError naming the owner.
 */
export const lockRun = async (dir: string): Promise<() => Promise<void>> => {
  const path = join(dir, "lock");
  await guarded("making the folder", dir, () => mkdir(dir, { recursive: true }));
  for (let attempt = 0; !(await guarded("locking", path, () => place(path))); attempt++) {
    const owner = await ownerOf(path);
    const alive = owner !== undefined && (owner.host !== hostname() || isAlive(owner.pid));
    if (alive || attempt > 2) {
      const who = owner === undefined ? "another process" : `process ${owner.pid} on ${owner.host}`;
      throw new BusyError(`is in use by ${who}`, { file: dir, hint: `wait for it, or delete ${path} if it is gone` });
    }
    await rm(path, { force: true });
  }
  return () => rm(path, { force: true });
};
