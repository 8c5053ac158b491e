/** What stands in Redis beside BullMQ's own keys, and for how long: who owns a queue, and who is there. */
import type { RedisAddress } from "./address.ts";
import type { Redis } from "./client.ts";

/** What BullMQ's keys begin with. */
export const PREFIX = "anneal";

/** Milliseconds between two signs of life. */
export const BEAT = 5000;
/** Milliseconds without one after which a process is given up, and the job that it is at. */
export const STANDS = 30_000;

/** Names of keys. */
export const keysOf = ({ name }: Pick<RedisAddress, "name">) => ({
  /** What the owner holds the queue by. */
  owner: `anneal-queue:${name}:owner`,
  /** What the search is, as the owner says it. */
  subject: `anneal-queue:${name}:subject`,
  /** What the owner tells line by line. */
  lines: `anneal-queue:${name}:lines`,
  /** Those that take jobs, by the server's milliseconds of their last sign of life. */
  workers: `anneal-queue:${name}:workers`,
  /** What the pieces of files begin with that a job came to. */
  files: (id: string) => `anneal-queue:${name}:files:${id}`,
});

/** What an owner leaves of `study` whose search has come to its end. */
export const overOf = (study: string): string => `${study} has ended`;

const HOLD = `local had = redis.call("GET", KEYS[1])
if had and had ~= ARGV[1] and not string.find(had, " has ended$") then return 0 end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
return 1`;

/** Takes a queue, or holds it on; false where another has it. */
export const holdQueue = async (redis: Redis, key: string, by: string): Promise<boolean> =>
  (await redis.call("EVAL", HOLD, 1, key, by, STANDS)) === 1;

/** Milliseconds by the clock of the server: those of machines differ. */
const clock = async (redis: Redis): Promise<number> => {
  const [seconds, micros] = (await redis.call("TIME")) as readonly string[];
  return Math.floor(Number(seconds) * 1000 + Number(micros) / 1000);
};

/** Says that a process is there. */
export const hold = async (redis: Redis, key: string, self: string): Promise<void> => {
  await redis.call("ZADD", key, await clock(redis), self);
};

/** How many processes are there. */
export const present = async (redis: Redis, key: string): Promise<number> => {
  await redis.call("ZREMRANGEBYSCORE", key, "-inf", (await clock(redis)) - STANDS);
  return Number(await redis.call("ZCARD", key));
};
