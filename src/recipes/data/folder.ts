/** The folder of prepared data: taken before the work, swept of what killed runs left, given its results. */
import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { claimFolder, mark } from "../../node/files/claim.ts";
import { guarded } from "../../node/files/files.ts";
import { discard, idAfter, leftIn, temporaryId } from "../../node/files/leftovers.ts";
import { isLocked, lockRun } from "../../node/files/lock.ts";
import type { Shard } from "./shards.ts";

/** Names of results: none of these is replaced that anneal did not write. */
const RESULTS =
  /^((train|validation|test)[-.]|(index|report|tokenizer|duplicates|README)\.|tokenizer_config)/;
const WORK = /^(parts|shards|lock|lock-\d+|next-\d+)$/;

/** A folder that was taken for prepared data. */
export interface DataFolder {
  readonly dir: string;
  /** Names of the files that an earlier run wrote. */
  readonly earlier: readonly string[];
}

const namesIn = (dir: string): Promise<string[]> => readdir(dir).catch(() => []);

/** Whether `work` is all that there is, and holds what a run leaves there that was killed early. */
const isWork =
  (dir: string) =>
  async (names: readonly string[]): Promise<boolean> =>
    names.every((name) => name === "work") &&
    (await namesIn(join(dir, "work"))).every((name) => WORK.test(name));

/** Paths below `work` that processes which are gone were writing. */
const leftovers = async (work: string): Promise<string[]> => {
  const below = async (dir: string, idIn: typeof temporaryId): Promise<string[]> =>
    (await leftIn(dir, idIn)).map((name) => join(dir, name));
  const [parts, shards] = [join(work, "parts"), join(work, "shards")];
  return [
    ...(await below(work, idAfter("next-"))),
    ...(await below(parts, temporaryId)),
    ...(await below(shards, temporaryId)),
  ];
};

/**
 * Deletes what killed runs left in `work`. Machines may share it, and none knows another's processes: so
 * nothing goes while a shard is locked. What is looked at was there before the locks were.
 */
const sweepWork = async (work: string): Promise<void> => {
  const left = await leftovers(work);
  if (left.length === 0) return;
  for (const name of await namesIn(work)) {
    if (/^lock-\d+$/.test(name) && (await isLocked(join(work, name)))) return;
  }
  for (const path of left) await discard(path);
};

/** Takes a folder for prepared data. Throws ConfigError where it holds the user's own files. */
export const claimData = (dir: string): Promise<readonly string[]> =>
  claimFolder(dir, { kind: "data", results: RESULTS, adopts: isWork(dir) });

/**
 * Does `work` in a folder that is this process's alone, or, of a shard, that shares it with other shards.
 * Throws ConfigError where the folder holds the user's own files, BusyError where another process has it.
 */
export const inDataFolder = async <T>(
  dir: string,
  shard: Shard | undefined,
  work: (folder: DataFolder) => Promise<T>,
): Promise<T> => {
  const earlier = await claimData(dir);
  const unlock = await lockRun(join(dir, "work", shard === undefined ? "lock" : `lock-${shard.index}`));
  try {
    if (shard === undefined) await sweepWork(join(dir, "work"));
    return await work({ dir, earlier });
  } finally {
    await unlock();
  }
};

/**
 * Moves files from `from` into `to`, `last` after all others: who finds that one finds all. What an earlier
 * run left under these or other names goes first; the marker names all of both meanwhile.
 */
export const publish = async (
  from: string,
  to: string,
  {
    names,
    earlier,
    last,
  }: { readonly names: readonly string[]; readonly last: string } & Pick<DataFolder, "earlier">,
): Promise<void> => {
  await mark(to, "data", Array.from(new Set([...earlier, ...names])));
  for (const name of [last, ...earlier]) {
    await guarded("deleting", join(to, name), () => rm(join(to, name), { force: true }));
  }
  for (const name of [...names.filter((n) => n !== last), last]) {
    await guarded("renaming", join(to, name), () => rename(join(from, name), join(to, name)));
  }
  await mark(to, "data", names);
};
