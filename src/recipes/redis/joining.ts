/** A process that joins a search over Redis: it is given the same things, and stays as long as the owner. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Jobs } from "../../node/redis/jobs.ts";
import { ConfigError } from "../../util/errors.ts";
import type { Ui } from "../context/ui.ts";
import { firstDifference } from "../sweep/log.ts";
import { type Told, toldOf } from "./messages.ts";

/** Milliseconds between two looks: for a beginning, whether the owner is there. */
const [LOOK, SEES] = [500, 500];
/** Milliseconds for which a beginning is waited for. */
const PATIENCE = 60_000;

/** Characters of a field's name that are told. */
const FIELD = 300;

/** What a process joins with. */
export interface Joining {
  readonly jobs: Jobs;
  /** What it has, to be like the owner's. */
  readonly material: unknown;
  readonly ui: Ui;
  readonly signal: AbortSignal | undefined;
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

/** The search that a process joins. */
export interface JoinedSearch {
  readonly study: string;
  /** That its owner has left, or that Redis is lost: then its reason is a typed error. */
  readonly gone: AbortSignal;
  /** Looks whether the owner is there. */
  look(): Promise<void>;
  /** Ends looking by itself. */
  stop(): void;
}

/** Whether the owner is there, until `stop`. */
const watching = (study: string, { jobs, ui }: Joining): Omit<JoinedSearch, "study"> => {
  const left = new AbortController();
  const look = async (): Promise<void> => {
    if ((await jobs.owner()) === study || left.signal.aborted) return;
    if (!(await jobs.isOver(study))) ui.warn("the process that began the search is gone: this one leaves");
    left.abort();
  };
  const timer = setInterval(() => look().catch(() => {}), SEES); // That Redis is gone is told by `lost`.
  timer.unref();
  return { gone: AbortSignal.any([left.signal, jobs.lost]), look, stop: () => clearInterval(timer) };
};

/**
 * Joins the search that has the queue, whose jobs may then be taken. Throws ConfigError where for a minute
 * there is none, and where it is another one, by the field that differs.
 */
export const joinOwner = async (joining: Joining): Promise<JoinedSearch> => {
  const told = await begun(joining);
  requireAlike(told, JSON.parse(JSON.stringify(joining.material)));
  const { study } = told;
  return { study, ...watching(study, joining) };
};
