/** Decoding graphs, sampling, generation. */
export * from "./beam.ts";
export * from "./decoder.ts";
export * from "./decoding.ts";
export * from "./generate.ts";
export * from "./graphs.ts";
export * from "./sample.ts";
export * from "./stop.ts";
