/** Layers, losses, parameters. */
export * from "./attention.ts";
export * from "./cachedAttention.ts";
export * from "./dropout.ts";
export * from "./encoderBlock.ts";
export * from "./fused.ts";
export * from "./gatedMlp.ts";
export * from "./groupedAttention.ts";
export * from "./kinds/index.ts";
export * from "./linear.ts";
export * from "./loss.ts";
export * from "./norm.ts";
export * from "./param.ts";
export * from "./relativeBias.ts";
export * from "./rmsNorm.ts";
export * from "./rope.ts";
