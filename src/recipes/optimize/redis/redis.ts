/** A search for candidates whose processes share no folder, but a Redis. */
import { redisAddress } from "../../../node/redis/address.ts";
import { type Jobs, openJobs } from "../../../node/redis/jobs.ts";
import type { RecipeHooks } from "../../context/hooks.ts";
import { type MaterialOptions, materialOf } from "../../redis/material.ts";
import { requireUnlaunched } from "../../redis/owning.ts";
import { nameStudy, studyIn } from "../../redis/study.ts";
import type { Joined } from "../joined.ts";
import type { Asking } from "../queue.ts";
import { type JoiningSearch, joinSearch } from "./maker.ts";
import { denseFiles } from "./messages.ts";
import { type Owning, ownSearch } from "./owner.ts";
import { QUEUE } from "./place.ts";

/** A Redis by which a search is shared. */
export interface ByRedis {
  /** The URL of the queue. */
  readonly url: string;
  /** What all processes have to have alike, besides what a search is. */
  material(): Promise<object>;
}

/** What a process of a search gets besides its options. */
export type SharedHooks = RecipeHooks & { readonly redis?: ByRedis };

const open = ({ url }: Pick<ByRedis, "url">): Promise<Jobs> => openJobs(redisAddress(url, QUEUE), denseFiles);

/**
 * The Redis that the processes of a search share, once it has answered. Throws ConfigError where a launcher
 * has started them, and as `openJobs` does.
 */
export const byRedis = async (options: MaterialOptions): Promise<Pick<SharedHooks, "redis">> => {
  const { queue: url, ranks } = options.hooks;
  if (url === undefined) return {};
  requireUnlaunched(ranks);
  await (await open({ url })).close(); // What is wrong with it is told before data are read.
  return { redis: { url, material: () => materialOf(options) } };
};

const withJobs = async <T>(redis: ByRedis, work: (jobs: Jobs) => Promise<T>): Promise<T> => {
  const jobs = await open(redis);
  try {
    return await work(jobs);
  } catch (error) {
    await jobs.close();
    throw error;
  }
};

/** What is searched, and by whom. */
type Searched = { readonly identity: unknown };

const whole = async ({ material }: ByRedis, { identity }: Searched) => ({
  ...(await material()),
  ...(identity as object),
});

/** Joins a search by Redis. Throws as `openJobs` and `joinSearch` do. */
export const joinByRedis = (
  redis: ByRedis,
  given: Searched & Omit<JoiningSearch, "jobs" | "material">,
): Promise<Joined> =>
  withJobs(redis, async (jobs) => joinSearch({ ...given, jobs, material: await whole(redis, given) }));

/** Owns a search by Redis, whose folder is open. Throws as `openJobs` and `ownSearch` do. */
export const ownByRedis = (
  redis: ByRedis,
  given: Searched & Omit<Owning, "jobs" | "material" | "study">,
): Promise<Asking> =>
  withJobs(redis, async (jobs) => {
    const study = (await studyIn(given.dir)) ?? (await nameStudy(given.dir));
    return ownSearch({ ...given, jobs, study, material: await whole(redis, given) });
  });
