/** Compression passes. */
export { type DistillOptions, distill } from "./distill.ts";
export { type DropLayersOptions, dropLayers, spread } from "./dropLayers.ts";
export { type Context, derived, type Pass, pipe } from "./pass.ts";
export { type Int8FormMap, type QuantizeOptions, quantize, quantized } from "./quantize.ts";
export { wideMatrices } from "./sensitivity.ts";
export { widen, widened } from "./widen.ts";
