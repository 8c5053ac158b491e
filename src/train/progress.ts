/** How far a run is, and that as a checkpoint says it. */
import type { Json } from "../models/model.ts";
import { CheckpointError } from "../util/errors.ts";
import type { Average } from "./average.ts";
import type { Snapshot } from "./checkpoint.ts";
import type { Tensors } from "./ranks/held.ts";
import type { Stepper } from "./stepper.ts";

/** What changes as a run goes on, besides weights and optimizer state. */
export interface Progress {
  step: number;
  bestStep: number;
  bestLoss: number;
  /** The judge's figure of the best weights. */
  bestFigure?: number;
  sinceBest: number;
  skips: number;
  /** Of the batches so far, padding included. */
  tokens: number;
  best?: Tensors;
}

/** What `keep` keeps. */
const filtered = (tensors: Tensors, keep: (name: string) => boolean): Tensors =>
  new Map([...tensors].filter(([name]) => keep(name)));

/** A run as a checkpoint holds it; of several ranks, this one's part of it. */
export const snapshotOf = async (
  stepper: Pick<Stepper, "state" | "writes">,
  progress: Progress,
  average?: Pick<Average, "state">,
): Promise<Snapshot> => {
  const { best, bestLoss, bestFigure = null, ...counts } = progress;
  const meta = { ...counts, bestFigure, bestLoss: Number.isFinite(bestLoss) ? bestLoss : null };
  const { step } = progress;
  const { writes = () => true } = stepper;
  // Sets of an average have numbers in front of their paths; its count stands alone.
  const averaged = (name: string): boolean => !/^\d+\./.test(name) || writes(name.replace(/^\d+\./, ""));
  return {
    ...{ step, state: await stepper.state(), meta: meta as Json },
    ...(best === undefined ? {} : { best: filtered(best, writes) }),
    ...(average === undefined ? {} : { average: filtered(average.state(), averaged) }),
  };
};

/** How far a snapshot's run was. Throws CheckpointError where its meta does not say so. */
export const progressOf = ({ step, meta }: Snapshot): Omit<Progress, "best"> => {
  const saved = (meta ?? {}) as { readonly [field: string]: Json };
  const count = (field: string): number => {
    const value = saved[field];
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
    throw new CheckpointError(`is ${JSON.stringify(value)} in the checkpoint, no count`, { field });
  };
  if (count("step") !== step) {
    throw new CheckpointError(`is ${count("step")} in the checkpoint of step ${step}`, { field: "step" });
  }
  const number = (field: string): number | undefined => {
    const value = saved[field] ?? null;
    if (value === null || Number.isFinite(value)) return (value as number | null) ?? undefined;
    throw new CheckpointError(`is ${JSON.stringify(value)} in the checkpoint`, { field });
  };
  const bestFigure = number("bestFigure");
  return {
    step,
    bestStep: count("bestStep"),
    bestLoss: number("bestLoss") ?? Number.POSITIVE_INFINITY,
    ...(bestFigure === undefined ? {} : { bestFigure }),
    sinceBest: count("sinceBest"),
    skips: count("skips"),
    tokens: count("tokens"),
  };
};
