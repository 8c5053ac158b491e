/** The part of a process that makes models for the search of another: here of one whose folder it sees. */
import type { Model } from "../../models/model.ts";
import { begun, whileHeld } from "../../node/files/joined.ts";
import { leases } from "../../node/files/lease.ts";
import { joinQueue, type Maker, queueIn } from "./queue.ts";
import { type JoinedStore, joinStore } from "./store.ts";

/** The part of a process. */
export interface Joined {
  readonly maker: Maker;
  readonly store: JoinedStore;
  /** That there is nothing to take part in any more; its reason is a typed error where that is one. */
  readonly gone: AbortSignal;
  /** Whether there is somebody that an error is to be told for: what was asked for goes with who asked. */
  isThere(): Promise<boolean>;
  leave(): Promise<void>;
}

/** What is joined in a folder. */
export interface JoiningFolder {
  /** The folder of the run. */
  readonly run: string;
  readonly identity: unknown;
  readonly whole: Model;
  readonly signal: AbortSignal | undefined;
}

/**
 * Joins the search that another process has begun in the folder of a run. Throws ConfigError where for a
 * minute there is none, and where it is another one, naming what differs.
 */
export const joinFolder = async ({ run, identity, whole, signal }: JoiningFolder): Promise<Joined> => {
  const own = leases();
  const queue = queueIn(run);
  await begun({ dir: queue, file: "jobs", by: run, leases: own, signal });
  const store = await joinStore({ run, identity, whole });
  const { gone, end } = whileHeld(queue, own);
  const maker = await joinQueue(run, own);
  return {
    ...{ maker, store, gone },
    isThere: () => own.isHeld(queue),
    async leave() {
      await maker.leave();
      await end();
      own.close();
    },
  };
};
