/** Layers, losses, parameters. */

export type { MapTree, Tree } from "../util/tree.ts";
export { type Attended, type Attention, type AttentionOptions, attention } from "./attention/attention.ts";
export { type CachedAttentionOptions, cachedAttention } from "./attention/cachedAttention.ts";
export {
  type DotProductOptions,
  dotProductAttention,
  joinHeads,
  splitHeads,
} from "./attention/dotProductAttention.ts";
export {
  type GroupedAttention,
  type GroupedOptions,
  groupedAttention,
} from "./attention/groupedAttention.ts";
export { type BucketOptions, relativeBias } from "./attention/relativeBias.ts";
export { type Rope, type RopeScaling, ropeTables } from "./attention/rope.ts";
export {
  type DistillLossOptions,
  type Divergence,
  distillLoss,
  divergences,
  jensenShannon,
  reverseKl,
} from "./divergence.ts";
export { dropout } from "./dropout.ts";
export { type EncoderOptions, type EncoderParts, encoderBlock, paddingMask } from "./encoderBlock.ts";
export { projections } from "./fused.ts";
export { type GatedMlp, type GatedOptions, gatedMlp } from "./gatedMlp.ts";
export { kinds } from "./kinds/index.ts";
export { conv1d, embed, type Linear, linear, type Projection, project, times } from "./linear.ts";
export {
  crossEntropy,
  IGNORE,
  meanLoss,
  softLoss,
  type Totals,
  totalsOver,
} from "./loss.ts";
export { type Norm, norm, normSpec } from "./norm.ts";
export {
  asConstants,
  asParams,
  countParams,
  dense,
  denseWeights,
  type Init,
  initialize,
  isPacked,
  type Layout,
  normal,
  onesInit,
  type Packed,
  type PackedParam,
  type PackedWeight,
  type Param,
  type ParamSpec,
  param,
  tensorsOf,
  trainedTensors,
  unpacked,
  type Weight,
  type WeightKind,
  type Weights,
  withTensors,
  zerosInit,
} from "./param.ts";
export { type RmsNorm, rmsNorm, rmsNormSpec } from "./rmsNorm.ts";
