/** Decoding graphs, sampling, generation. */
export * from "./decoder.ts";
export * from "./generate.ts";
export * from "./graphs.ts";
export * from "./sample.ts";
