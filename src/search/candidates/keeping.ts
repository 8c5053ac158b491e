/** What a search keeps between processes: what became of its trials, and the dense models that it made. */
import type { Model } from "../../models/model.ts";
import type { Point } from "../front/sort.ts";
import type { Values } from "../space/space.ts";
import type { TrialRecord } from "./candidate.ts";

/** A trial's record with the scores of its held-out examples, where it was measured. */
export interface Kept {
  readonly record: TrialRecord;
  readonly scores?: Float32Array;
}

/** A configuration that was begun, by the number of its trial. */
export interface Begun {
  readonly number: number;
  readonly values: Values;
}

/** A dense model, with what it had lost and would cost at the measurements on its way. */
export interface KeptDense {
  readonly model: Model;
  readonly rungs: readonly Point[];
}

/** Keeps a search. */
export interface Keeping {
  /** What earlier processes found, in order. */
  readonly earlier: readonly Kept[];
  /** What processes began and did not end: to be gone on with. */
  readonly open: readonly Begun[];
  /** In how many processes that ended it was under way: the cause, or as far as a search had come. */
  deaths(values: Values): number;
  /** Notes that a configuration is begun. */
  begins(number: number, values: Values): void;
  /** Notes that one was left on purpose, to be gone on with. */
  leaves(number: number, values: Values): void;
  ends(kept: Kept): void;
  /** A dense model by its key; undefined where none was kept. */
  dense(key: string): Promise<KeptDense | undefined>;
  keep(key: string, kept: KeptDense): Promise<void>;
}

/** Keeps nothing. */
export const forgetting: Keeping = {
  ...{ earlier: [], open: [] },
  deaths: () => 0,
  begins: () => {},
  leaves: () => {},
  ends: () => {},
  dense: () => Promise.resolve(undefined),
  keep: () => Promise.resolve(),
};
