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

export { type AdamOptions, adam, type ScaleByAdamOptions, scaleByAdam } from "./adam.ts";
export { adamw } from "./adamw.ts";
export { clipByGlobalNorm, clipByValue, globalNorm } from "./clip.ts";
export { addDecayedWeights, type DecayOptions } from "./decay.ts";
export { type LambOptions, lamb, scaleByTrustRatio } from "./lamb.ts";
export { type LionOptions, lion, type ScaleByLionOptions, scaleByLion } from "./lion.ts";
export {
  accumulate,
  type MomentumOptions,
  momentum,
  type ScaleByMomentumOptions,
  scaleByMomentum,
} from "./momentum.ts";
export { type MuonOptions, muon, type OrthogonalizeOptions, orthogonalize } from "./muon.ts";
export { nesterov } from "./nesterov.ts";
export {
  constantSchedule,
  cosineSchedule,
  inverseSqrtSchedule,
  linearSchedule,
  type Schedule,
  type ScheduleOptions,
  scheduleOf,
  wsdSchedule,
} from "./schedule.ts";
export { scaleByLearningRate, sgd } from "./sgd.ts";
export {
  applyUpdates,
  chain,
  isMatrix,
  mapUpdates,
  masked,
  type Optimizer,
  type ParamMask,
  type Params,
  type ParamTypes,
  partition,
  stateLike,
  stateless,
  type Transform,
  type UpdateContext,
} from "./transform.ts";
export { type Factor, materialize, type Sum, scale, total, type Update, type Updates } from "./update.ts";

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

/** The name of an optimizer. */
export type OptimizerName = keyof typeof optimizers;
