/** Optimizers, the transforms they are made of, and learning rate schedules. */
import { type AdamOptions, adam } from "./adam.ts";
import { adamw } from "./adamw.ts";
import { type LambOptions, lamb } from "./lamb.ts";
import { type LionOptions, lion } from "./lion.ts";
import { type MomentumOptions, momentum } from "./momentum.ts";
import { type MuonOptions, muon } from "./muon.ts";
import { nesterov } from "./nesterov.ts";
import { sgd } from "./sgd.ts";
import type { Optimizer } from "./transform.ts";

export * from "./adam.ts";
export * from "./adamw.ts";
export * from "./clip.ts";
export * from "./decay.ts";
export * from "./lamb.ts";
export * from "./lion.ts";
export * from "./momentum.ts";
export * from "./muon.ts";
export * from "./nesterov.ts";
export * from "./schedule.ts";
export * from "./sgd.ts";
export * from "./transform.ts";
export * from "./update.ts";

/** The options of all optimizers; each reads its own. */
export interface OptimizerOptions
  extends AdamOptions,
    LambOptions,
    LionOptions,
    MomentumOptions,
    MuonOptions {}

/** Every optimizer by its name. */
export const optimizers = {
  sgd,
  momentum,
  nesterov,
  adam,
  adamw,
  lamb,
  lion,
  muon,
} satisfies Record<string, (options?: OptimizerOptions) => Optimizer>;

export type OptimizerName = keyof typeof optimizers;
