/** A process that joins a sweep over Redis: it takes trials as long as their owner is there. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Jobs } from "../../../node/redis/jobs.ts";
import { ConfigError } from "../../../util/errors.ts";
import type { Ui } from "../../context/ui.ts";
import { firstDifference, type Logged } from "../log.ts";
import type { Part } from "../part.ts";
import type { Asking, Queue, Taken } from "../queue.ts";
import { type Told, toldOf } from "./messages.ts";
import { type Place, takenFrom } from "./taken.ts";

/** Milliseconds between two looks: for a beginning, whether the owner is there, for trials. */
const [LOOK, SEES, TAKES] = [500, 500, 50];
/** Milliseconds for which a beginning is waited for, and in which trials are looked for at a time. */
const [PATIENCE, TURN] = [60_000, 500];

/** Characters of a field's name that are told. */
const FIELD = 300;

/** What a process joins with. */
export interface Joining {
  readonly jobs: Jobs;
  /** What it has, to be like the owner's. */
  readonly material: unknown;
  readonly asking: Asking;
  readonly ui: Ui;
  readonly signal: AbortSignal | undefined;
  /** Opens the folder of its trials. */
  folder(study: string): Promise<Pick<Place, "dir" | "isShared">>;
}

/** Waits for the search that is joined. Throws ConfigError where for a minute there is none. */
const begun = async ({ jobs, signal }: Joining): Promise<Told> => {
  for (const since = performance.now(); performance.now() - since < PATIENCE; await sleep(LOOK)) {
    signal?.throwIfAborted();
    const told = toldOf((await jobs.subject()) ?? "");
    if (told !== undefined && (await jobs.owner()) === told.study) return told;
  }
  throw new ConfigError("has no search under way that could be joined", {
    field: "queue",
    hint: "start it by the same command without --join first",
  });
};

/** Where two differ; of what is no material at all, that it is another. */
const differing = (theirs: unknown, own: unknown): string | undefined => {
  try {
    return firstDifference(theirs, own, "")?.slice(0, FIELD);
  } catch {
    return "queue";
  }
};

/** Throws ConfigError naming what this process has not got as the owner has it. */
const requireAlike = (told: Told, material: unknown): void => {
  const field = differing(told.material, material);
  if (field === undefined) return;
  throw new ConfigError("differs from that of the search, whose trials would not be comparable", {
    field,
    hint: "join by the same version of anneal, with the same options and the same files",
  });
};

/** Whether the owner is there, until `end`. */
const watching = (jobs: Jobs, study: string, ui: Ui) => {
  const gone = new AbortController();
  const look = async (): Promise<void> => {
    if ((await jobs.owner()) === study || gone.signal.aborted) return;
    if (!(await jobs.isOver(study))) ui.warn("the process that began the sweep is gone: this one leaves");
    gone.abort();
  };
  const timer = setInterval(() => look().catch(() => {}), SEES); // That Redis is gone is told by `lost`.
  timer.unref();
  return { gone: gone.signal, look, end: () => clearInterval(timer) };
};

/** Joins a sweep. Throws ConfigError where there is none, or where it is another's. */
export const joinSweep = async (joining: Joining): Promise<Part> => {
  const { jobs, material, asking, ui, signal } = joining;
  const told = await begun(joining);
  requireAlike(told, JSON.parse(JSON.stringify(material)));
  const { study } = told;
  const place = { ...(await joining.folder(study)), jobs, study, ui, space: asking.space };
  await jobs.arrive();
  const { gone, look, end } = watching(jobs, study, ui);
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
    end();
    await jobs.close();
  };
  return { queue, leave, gone: AbortSignal.any([gone, jobs.lost]) };
};
