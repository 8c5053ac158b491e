/** The flags of verbs that search in several processes. */
import { InvalidArgumentError } from "commander";
import type { Flag } from "./flag.ts";

const count = (word: string): number => {
  const value = Number(word);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError("It must be a whole number, at least 1.");
};

/** How many processes search together, and that one takes part in what another has begun. */
export const workerFlags = (workers: string, more: Partial<Flag>): readonly Flag[] => [
  { flag: "--workers <n>", help: workers, parse: count, ...more },
  {
    flag: "--join",
    help: "take part in the search that the same command has begun in OUT, be it on another machine",
    conflicts: ["workers", "resume"],
    verbs: more.verbs ?? [],
  },
  {
    flag: "--queue <url>",
    help: "share by a Redis (redis://HOST:6379), not by OUT; redis: that of ANNEAL_REDIS_URL",
    verbs: more.verbs ?? [],
  },
];
