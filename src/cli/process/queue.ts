/** The Redis that processes share trials by: one that is named, or that of the environment. */
import { redisAddress } from "../../node/redis/address.ts";
import { ConfigError } from "../../util/errors.ts";

/** The variable that holds a URL with user and password, which other users of a machine see in commands. */
export const REDIS_URL = "ANNEAL_REDIS_URL";

/** Throws ConfigError where ranks are to share by a Redis: a launcher's processes share OUT. */
export const requireNoQueue = (words: readonly string[]): void => {
  if (!words.some((word) => /^--queue(=|$)/.test(word))) return;
  throw new ConfigError("is for processes that no launcher starts: ranks share OUT", {
    field: "queue",
    hint: "leave out --queue, or start each process by itself, all but the first with --join",
  });
};

/**
 * The URL of a queue: `given` itself, or what the environment has where "redis" is given; undefined where
 * nothing is. Throws ConfigError for what is no URL of a Redis.
 */
export const queueUrl = (
  given: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): string | undefined => {
  if (given === undefined) return undefined;
  const url = given === "redis" ? env[REDIS_URL] : given;
  if (url === undefined || url === "") {
    throw new ConfigError("redis is that of the environment, which names none", {
      field: "queue",
      hint: `set ${REDIS_URL}=redis://USER:PASSWORD@HOST:6379, or give --queue redis://HOST:6379`,
    });
  }
  redisAddress(url);
  return url;
};
