/** Folders below the system's place for temporary files: each goes with its work, or with the next one's. */
import { mkdtemp, readdir } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { RunError } from "../../util/errors.ts";
import { discard, isAlive } from "./leftovers.ts";

/** The process at the end of a scratch folder's name; undefined where it is none of this machine's. */
const ownerIn = (name: string): number | undefined => {
  const [, host, pid] = /^anneal-[a-z]+-(.*)-(\d+)-\w{6}$/.exec(name) ?? [];
  // Containers that share a place for temporary files do not see each other's processes.
  return host === hostname() ? Number(pid) : undefined;
};

const sweepScratch = async (place: string): Promise<void> => {
  for (const name of await readdir(place).catch(() => [] as string[])) {
    const pid = ownerIn(name);
    if (pid !== undefined && !isAlive(pid)) await discard(join(place, name));
  }
};

/**
 * Makes a folder whose name says the purpose (lowercase letters), this machine and this process, below
 * `place`; those that killed processes left there are deleted. Throws RunError where none can be made.
 */
export const makeScratch = async (purpose: string, place = tmpdir()): Promise<string> => {
  await sweepScratch(place);
  try {
    return await mkdtemp(join(place, `anneal-${purpose}-${hostname()}-${process.pid}-`));
  } catch (cause) {
    throw new RunError(`making a temporary folder failed (${(cause as NodeJS.ErrnoException).code})`, {
      file: place,
      cause,
      hint: "make room there, or name another place in the environment variable TMPDIR",
    });
  }
};

/** Runs `work` in a folder of its own, which is deleted after it. */
export const inScratch = async <T>(purpose: string, work: (dir: string) => Promise<T>): Promise<T> => {
  const dir = await makeScratch(purpose);
  try {
    return await work(dir);
  } finally {
    await discard(dir);
  }
};
