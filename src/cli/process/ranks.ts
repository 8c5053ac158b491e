/** The ranks that a launcher of MPI has started this command as: joined where a run trains on them. */
import { availableParallelism, cpus } from "node:os";
import { setTimeout as nap } from "node:timers/promises";
import { type Launched, launcherIn, threadsOf } from "../../node/mpi/launcher.ts";
import { joinWorld, type World } from "../../node/mpi/world.ts";
import type { RunOptions } from "../../recipes/config/options.ts";
import { ConfigError } from "../../util/errors.ts";

/** The flags of verbs that train on several ranks. */
export interface RankFlags {
  readonly mpiLib?: string;
  readonly mpiTimeout?: number;
  readonly findLr?: boolean;
  readonly check?: boolean;
  readonly shard?: string;
}

/** The launcher of this process; undefined where it was started alone, or as the only rank. */
export const launched = (): Launched | undefined => {
  const found = launcherIn(process.env);
  return found === undefined || found.size === 1 ? undefined : found;
};

/** The verbs that share their work among the ranks of a launcher; a sweep is as train or finetune. */
const shares: readonly string[] = ["train", "finetune", "data", "optimize"];

/**
 * Joins the ranks that this process was started among; undefined where it was started alone, or shares
 * nothing. Throws ConfigError for what is tried on one process, and as `joinWorld`.
 */
export const joinRanks = async (verb: string, flags: RankFlags): Promise<World | undefined> => {
  const found = launched();
  // Other verbs run as often as they are started, as where each shard of data is a task of srun's.
  if (found === undefined || !shares.includes(verb) || flags.shard !== undefined) return undefined;
  const alone = flags.findLr ? "--find-lr" : flags.check ? "--check" : undefined;
  if (alone !== undefined) {
    throw new ConfigError(`${alone} does not run on ${found.size} ranks`, {
      hint: `start it without ${found.by}: it tries what trains on one process`,
    });
  }
  return joinWorld({ launched: found, lib: flags.mpiLib, silenceSec: flags.mpiTimeout });
};

/** Options with this rank's share of the machine's cores, where they leave the threads open. */
export const withThreads = (verb: string, options: RunOptions): RunOptions => {
  const found = launched();
  if (found === undefined || options.threads > 0 || !shares.includes(verb)) return options;
  // What measures has the machine to itself then, as it has without a launcher.
  if (verb === "optimize" && found.rank === 0) return options;
  return {
    ...options,
    threads: threadsOf(found, { cores: cpus().length, usable: availableParallelism() }),
  };
};

/** Milliseconds that ranks after the first keep an error to themselves: the first may well tell the same. */
const FIRST_TELLS = 1500;
/** Milliseconds after which a failed rank ends whatever it still waits for. */
const LINGER = 3000;

/** Before a failure is told: lets the first rank tell it, and returns "rank 1 of 4: ", or "" if alone. */
export const beforeTelling = async (): Promise<string> => {
  const found = launched();
  if (found === undefined) return "";
  if (found.rank > 0) await nap(FIRST_TELLS);
  setTimeout(() => process.exit(), LINGER).unref();
  return `rank ${found.rank} of ${found.size}: `;
};
