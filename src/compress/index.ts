/** Compression passes. */
export * from "./distill.ts";
export * from "./dropLayers.ts";
export * from "./pass.ts";
export * from "./quantize.ts";
export * from "./sensitivity.ts";
