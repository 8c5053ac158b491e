/**
 * Other processes that make dense models, on this machine or on others. All that is compared is measured by
 * one process, on one machine; what is cut and taught may be so anywhere.
 */
import type { MetricsRow } from "../../train/loop.ts";
import type { Point } from "../front/sort.ts";
import type { Values } from "../space/space.ts";
import type { Pace, Watched } from "./watched.ts";

/** A dense model that is to be made. */
export interface Job {
  /** Of the trial that it is made for. */
  readonly number: number;
  readonly values: Values;
  readonly watched?: Watched;
  /** Milliseconds that there are for it; absent where there is no end. */
  readonly leftMs?: number;
}

/** A configuration that another process makes first, its form too, since processes ended in it. */
export interface Rehearsal extends Job {
  /** Bytes that a file may have. */
  readonly limit?: number;
}

/** What became of it; the model itself is kept where it was made. */
export interface Made {
  /** Whether it was given up on its way. */
  readonly stopped: boolean;
  readonly rungs: readonly Point[];
  /** How it learnt. */
  readonly rows: readonly MetricsRow[];
  readonly lateMs?: number;
  readonly pace?: Pace;
  /** What went wrong. */
  readonly error?: string;
}

/** The processes that make dense models. */
export interface Makers {
  /** How many there are. */
  count(): Promise<number>;
  offer(job: Job): Promise<void>;
  /** What became of the trials of these numbers, by number, of those that have ended. */
  ended(numbers: readonly number[]): Promise<ReadonlyMap<number, Made>>;
  /** Takes back what nobody is at; false where somebody is. */
  takeBack(number: number): Promise<boolean>;
  /** Resolves after a while in which something may have ended. */
  wait(): Promise<void>;
  /** Takes all back: whoever is at something leaves it. */
  close(): Promise<void>;
}

/** There are none. */
export const noMakers: Makers = {
  count: () => Promise.resolve(0),
  offer: () => Promise.resolve(),
  ended: () => Promise.resolve(new Map()),
  takeBack: () => Promise.resolve(true),
  wait: () => Promise.resolve(),
  close: () => Promise.resolve(),
};
