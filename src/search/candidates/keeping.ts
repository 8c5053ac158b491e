/** What a search keeps between processes: what became of its trials, and the dense models that it made. */
import type { Model } from "../../models/model.ts";
import type { Values } from "../space/space.ts";
import type { TrialRecord } from "./candidate.ts";

/** A trial's record with the scores of its held-out examples, where it was measured. */
export interface Kept {
  readonly record: TrialRecord;
  readonly scores?: Float32Array;
}

/** Keeps a search. */
export interface Keeping {
  /** What earlier processes found, in order. */
  readonly earlier: readonly Kept[];
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
  earlier: [],
  fatal: [],
  begins: () => {},
  leaves: () => {},
  ends: () => {},
  dense: () => Promise.resolve(undefined),
  keep: () => Promise.resolve(),
};
