/** All ops, a file a family. */
export * from "./attention.ts";
export * from "./columns.ts";
export * from "./detach.ts";
export * from "./dynamic.ts";
export * from "./elementwise.ts";
export * from "./indexing.ts";
export * from "./int4.ts";
export * from "./int8.ts";
export * from "./linalg.ts";
export * from "./random.ts";
export * from "./reduce.ts";
export * from "./rmsNorm.ts";
export * from "./rotary.ts";
export * from "./silu.ts";
export * from "./structure.ts";
