/** Compression passes. */

export { calibrationBatches } from "./calibration/batches.ts";
export {
  type CodesOptions,
  type ModelCodes,
  modelCodes,
} from "./calibration/codes.ts";
export { normsFolded, type SmoothOptions, smoothQuant } from "./calibration/smooth.ts";
export { type DistillOptions, distill, teach } from "./distillation/distill.ts";
export { type DropLayersOptions, dropLayers, spread } from "./dropLayers.ts";
export { mixedGrids } from "./mixed.ts";
export { type Context, derived, type Pass, pipe } from "./pass.ts";
export {
  type Int8FormMap,
  type PackingParts,
  type QuantizeOptions,
  quantize,
  quantized,
} from "./quantize.ts";
export {
  type Codes,
  dequantized,
  type Grid,
  type GridOptions,
  type Rows,
} from "./rounding/codes.ts";
export { type GptqCodes, type GptqOptions, gptq } from "./rounding/gptq.ts";
export { hqq } from "./rounding/hqq.ts";
export { type RoundingMethod, type RoundingName, roundingMethods } from "./rounding/methods.ts";
export { type Moments, momentsOf, type SecondMoments } from "./rounding/moments.ts";
export { scaleSearch } from "./rounding/scaleSearch.ts";
export { wideMatrices } from "./sensitivity.ts";
export { widen, widened } from "./widen.ts";
