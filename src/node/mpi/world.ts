/** The ranks that a launcher of MPI has started: joined, watched, left in order or ended all at once. */
import { setTimeout as nap } from "node:timers/promises";
import type { Collective } from "../../train/ranks/collective.ts";
import { ConfigError } from "../../util/errors.ts";
import { mpiCollective } from "./collective.ts";
import { loadMpi, type Mpi, type MpiOptions } from "./library.ts";
import { type Lifeline, lifelineOf } from "./lifeline.ts";
import { withWindows } from "./memory.ts";

/** Longest that an exchange may take in all, milliseconds: what comes before training takes long, too. */
const LIMIT_MS = 3_600_000;
const TICK_MS = 500;
const NAP_MS = 5;

/** How a world is joined. */
export interface WorldOptions extends MpiOptions {
  /** Seconds that a rank may give no sign of life while all train (default: 45). */
  readonly silenceSec?: number | undefined;
}

/** This process among the ranks of a run. */
export interface World {
  readonly collective: Collective;
  /** The library's own name of itself. */
  readonly version: string;
  /** From now on a rank that gives no sign of life ends the run. */
  watch(): void;
  /** Waits until all ranks have ended their work, and leaves. */
  leave(): Promise<void>;
}

const requireSame = (mpi: Mpi, { launched }: MpiOptions): void => {
  const [rank, size] = [mpi.rank(), mpi.size()];
  if (size === launched.size && rank === launched.rank) return;
  throw new ConfigError(
    `${launched.by} has started ${launched.size} processes, of which ${mpi.version} sees ${size}`,
    { hint: `name the library that belongs to ${launched.by} with --mpi-lib, or use its own launcher` },
  );
};

const tellError = (error: Error): void => void process.stderr.write(`${error.stack ?? error}\n`);

/** A timer gives and takes signs while nobody waits; what it finds is thrown where somebody does. */
const keepAlive = (lifeline: Lifeline): { tick(): void; stop(): void } => {
  let failed: { readonly error: unknown } | undefined;
  const timer = setInterval(() => {
    try {
      lifeline.tick();
    } catch (error) {
      failed ??= { error };
    }
  }, TICK_MS);
  timer.unref();
  return {
    tick() {
      if (failed !== undefined) throw failed.error;
      lifeline.tick();
    },
    stop: () => clearInterval(timer),
  };
};

/**
 * Joins the ranks of the launcher. A process that ends without having left takes all others with it, with
 * its exit code. Throws MissingError where there is no library, ConfigError where it does not match the
 * launcher.
 */
export const joinWorld = async (options: WorldOptions): Promise<World> => {
  const mpi = await loadMpi(options);
  mpi.init();
  requireSame(mpi, options);
  const abort = (code: number): void => mpi.abort(code === 0 ? 1 : code);
  process.on("exit", abort);
  // What was not caught would be printed after the end.
  process.on("uncaughtExceptionMonitor", tellError);
  const lifeline = lifelineOf(mpi, (options.silenceSec ?? 45) * 1000);
  const alive = keepAlive(lifeline);
  const collective = await withWindows(mpiCollective(mpi, { tick: alive.tick, limitMs: LIMIT_MS }));
  return {
    collective,
    version: mpi.version,
    watch: () => lifeline.watch(),
    async leave() {
      const none = Array.from({ length: collective.size }, () => []);
      await collective.exchange(none, none);
      alive.stop();
      lifeline.leave();
      while (!lifeline.left()) await nap(NAP_MS);
      mpi.finalize();
      process.off("exit", abort);
      process.off("uncaughtExceptionMonitor", tellError);
    },
  };
};
