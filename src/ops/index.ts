/** All ops, a file a family. */
export * from "./attention.ts";
export * from "./dynamic.ts";
export * from "./elementwise.ts";
export * from "./indexing.ts";
export * from "./linalg.ts";
export * from "./quantized.ts";
export * from "./random.ts";
export * from "./reduce.ts";
export * from "./structure.ts";
