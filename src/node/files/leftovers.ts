/**
 * What killed processes leave: files and folders that bear the id of the process that was writing them. The
 * next run deletes those of processes that are gone, and brings back a folder that was moved aside.
 */
import { readFileSync } from "node:fs";
import { readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Deletes what an operation leaves behind; a failure here never hides the operation's own. */
export const discard = (path: string): Promise<void> =>
  rm(path, { recursive: true, force: true }).catch(() => {});

/** Fields 3 (state) and on of /proc/PID/stat; none where the system does not tell. */
export const statOf = (pid: number): readonly string[] => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name before them may hold spaces and parentheses.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
};

/** Whether a process of this machine runs, be it another user's; one that only waits to be reaped is dead. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return !["Z", "X"].includes(statOf(pid)[0] ?? "");
};

const sigkill = 1n << 8n;
const exiting = 4;

/** Whether a process has been killed and only takes down what it held: a moment, or seconds under load. */
export const isDying = (pid: number): boolean => {
  if ((Number(statOf(pid)[6]) & exiting) !== 0) return true;
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const pending = [...status.matchAll(/^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)$/gm)];
    return pending.some(([, mask]) => (BigInt(`0x${mask}`) & sigkill) !== 0n);
  } catch {
    return false;
  }
};

/** What bears the id of this process is an earlier one's: containers give the same ids again. */
export const isGone = (pid: number): boolean => pid === process.pid || !isAlive(pid);

/** The process id that follows `prefix` in a name; undefined where the name is another. */
export const idAfter =
  (prefix: string) =>
  (name: string): number | undefined =>
    name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length))
      ? Number(name.slice(prefix.length))
      : undefined;

/** The process id at the end of a name such as "part.tmp-12". */
export const temporaryId = (name: string): number | undefined => {
  const id = /\.tmp-(\d+)$/.exec(name)?.[1];
  return id === undefined ? undefined : Number(id);
};

/** The names in `dir` that processes which are gone left; `idIn` finds the id in a name. */
export const leftIn = async (
  dir: string,
  idIn: (name: string) => number | undefined,
): Promise<readonly string[]> => {
  const names = await readdir(dir).catch(() => [] as string[]);
  return names.filter((name) => {
    const id = idIn(name);
    return id !== undefined && isGone(id);
  });
};

/** Deletes what processes that are gone left in `dir`. */
export const sweep = async (dir: string, idIn: (name: string) => number | undefined): Promise<void> => {
  for (const name of await leftIn(dir, idIn)) await discard(join(dir, name));
};

/**
 * Ends what writers of the folder `place` left beside it when they were killed: half of a new one goes; the
 * earlier one, moved aside, comes back where nothing has taken its place, else it goes.
 */
export const settle = async (place: string): Promise<void> => {
  const [dir, name] = [dirname(place), basename(place)];
  const names = await readdir(dir).catch(() => [] as string[]);
  let there = names.includes(name);
  for (const aside of await leftIn(dir, idAfter(`${name}.old-`))) {
    if (there) await discard(join(dir, aside));
    else
      there = await rename(join(dir, aside), place).then(
        () => true,
        () => false,
      );
  }
  await sweep(dir, idAfter(`${name}.tmp-`));
};
