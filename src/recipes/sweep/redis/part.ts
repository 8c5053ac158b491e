/**
 * A sweep whose processes share no folder, but a Redis: the owner has the sweep's folder, each other one a
 * folder of its own, where its trials stand.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { claimFolder } from "../../../node/files/claim.ts";
import { redisAddress } from "../../../node/redis/address.ts";
import { openJobs } from "../../../node/redis/jobs.ts";
import type { Values } from "../../../search/space/space.ts";
import { ConfigError } from "../../../util/errors.ts";
import type { RecipeHooks } from "../../context/hooks.ts";
import { requireUnlaunched } from "../../redis/owning.ts";
import { nameStudy, studyIn } from "../../redis/study.ts";
import { STUDY } from "../log.ts";
import { openFolder, type Part, type Subject } from "../part.ts";
import { ownSweep } from "./owner.ts";
import type { Place } from "./taken.ts";
import { joinSweep } from "./worker.ts";

const foreign = (dir: string): ConfigError =>
  new ConfigError("holds trials of another sweep", { file: dir, hint: "choose another folder with --out" });

/** Takes a folder for the trials of one that joins: its own, or that of the owner where both see it. */
const ownFolder = async (dir: string, study: string): Promise<Pick<Place, "dir" | "isShared">> => {
  const found = await studyIn(dir);
  if (found === study) return { dir, isShared: existsSync(join(dir, STUDY)) };
  if (found !== undefined || existsSync(join(dir, STUDY))) throw foreign(dir);
  await claimFolder(dir, { kind: "sweep" });
  await nameStudy(dir, study);
  return { dir, isShared: false };
};

/** What is needed beside a subject. */
export interface ByRedis {
  /** The URL of the queue. */
  readonly url: string;
  /** Aborted where nothing is to be begun any more. */
  readonly until: AbortSignal;
  /** Writes the options of a trial into its folder. */
  describe(values: Values, folder: string): Promise<unknown>;
  /** What all processes have to have alike. */
  material(): Promise<unknown>;
}

/** Takes part in a sweep by Redis. Throws as `openJobs`, `ownSweep` and `joinSweep` do. */
export const takePartByRedis = async (
  subject: Subject,
  { url, until, describe, material }: ByRedis,
  { joins, ranks, resume = false, signal, ui }: RecipeHooks,
): Promise<Part> => {
  const { dir, asking } = subject;
  requireUnlaunched(ranks);
  const jobs = await openJobs(redisAddress(url));
  let unlock = async (): Promise<void> => {};
  const closed = (part: Part): Part => ({ ...part, leave: () => part.leave().finally(unlock) });
  try {
    if (joins) {
      const folder = (study: string) => ownFolder(dir, study);
      return closed(await joinSweep({ ...{ jobs, asking, ui, signal, folder }, material: await material() }));
    }
    if (!resume && !existsSync(join(dir, STUDY)) && (await studyIn(dir)) !== undefined) throw foreign(dir);
    unlock = await openFolder(subject, resume);
    const study = (await studyIn(dir)) ?? (await nameStudy(dir));
    return closed(
      await ownSweep({ ...{ jobs, dir, study, asking, until, describe, ui }, material: await material() }),
    );
  } catch (error) {
    await jobs.close();
    await unlock();
    throw error;
  }
};
