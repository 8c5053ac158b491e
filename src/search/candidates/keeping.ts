/** What a search keeps between processes: what became of its trials, and the dense models that it made. */
import type { Model } from "../../models/model.ts";
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

/** Keeps a search. */
export interface Keeping {
  /** What earlier processes found, in order. */
  readonly earlier: readonly Kept[];
  /** What processes began and did not end: to be gone on with. */
  readonly open: readonly Begun[];
  /** Configurations in which processes ended again and again, as where memory runs out. */
  readonly fatal: readonly Values[];
  /** Notes that a configuration is begun. */
  begins(number: number, values: Values): void;
  /** Notes that one was left on purpose, to be gone on with. */
  leaves(number: number, values: Values): void;
  ends(kept: Kept): void;
  /** A dense model by its key; undefined where none was kept. */
  dense(key: string): Promise<Model | undefined>;
  keep(key: string, model: Model): Promise<void>;
}

/** Keeps nothing. */
export const forgetting: Keeping = {
  ...{ earlier: [], open: [], fatal: [] },
  begins: () => {},
  leaves: () => {},
  ends: () => {},
  dense: () => Promise.resolve(undefined),
  keep: () => Promise.resolve(),
};
