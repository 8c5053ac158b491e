/** A process that joins a sweep over Redis: it takes trials as long as their owner is there. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Joining, joinOwner } from "../../redis/joining.ts";
import type { Logged } from "../log.ts";
import type { Part } from "../part.ts";
import type { Asking, Queue, Taken } from "../queue.ts";
import { type Place, takenFrom } from "./taken.ts";

/** Milliseconds between two looks for trials, and in which they are looked for at a time. */
const [TAKES, TURN] = [50, 500];

/** What a process joins a sweep with. */
export interface JoiningSweep extends Joining {
  readonly asking: Asking;
  /** Opens the folder of its trials. */
  folder(study: string): Promise<Pick<Place, "dir" | "isShared">>;
}

/** Joins a sweep. Throws ConfigError where there is none, or where it is another's. */
export const joinSweep = async (joining: JoiningSweep): Promise<Part> => {
  const { jobs, asking, ui, signal } = joining;
  const { study, gone, look, stop } = await joinOwner(joining);
  const place = { ...(await joining.folder(study)), jobs, study, ui, space: asking.space };
  await jobs.arrive();
  const known = new Map<number, Logged>();
  const noting = (taken: Taken): Taken => {
    const { trial, others } = taken;
    for (const other of others as readonly Logged[]) known.set(other.number, other);
    return {
      ...taken,
      async end(ended) {
        if (ended !== undefined) known.set(trial.number, { ...trial, ...ended, begun: 1 });
        return taken.end(ended);
      },
    };
  };
  const queue: Queue = {
    trials: () => [...known.values()],
    async next() {
      await look();
      for (const since = performance.now(); performance.now() - since < TURN; await sleep(TAKES)) {
        if (gone.aborted || signal?.aborted) return undefined;
        const job = await jobs.take();
        const taken = job === undefined ? "wait" : await takenFrom(job, place);
        if (taken !== "wait") return noting(taken);
      }
      return "wait";
    },
  };
  const leave = async (): Promise<void> => {
    stop();
    await jobs.close();
  };
  return { queue, leave, gone };
};
