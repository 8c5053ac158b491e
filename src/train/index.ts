/** Training: the step, the loop, checkpoints. */

export type { Averaging } from "./average.ts";
export { cachedStepper } from "./cachedStepper.ts";
export { type CheckpointStore, type Checkpoints, checkpointsIn, type Snapshot } from "./checkpoint.ts";
export { type MetricsRow, type TrainHooks, type TrainOptions, type TrainResult, train } from "./loop.ts";
export { type LrPoint, type LrRange, type LrRangeOptions, lrRange } from "./lrRange.ts";
export { type Overfit, type OverfitOptions, overfit } from "./overfit.ts";
export { alone, type Collective } from "./ranks/collective.ts";
export { rankPlans } from "./ranks/plan.ts";
export { openRank, type Rank, type RankPlan, type StepResult } from "./ranks/rank.ts";

export type { StepOptions } from "./step.ts";
export { type MakeStepper, type Stepper, stepper } from "./stepper.ts";
export { type HeldOut, heldOutLoss, validator, type Windows } from "./validate.ts";
