/** Decoding graphs, sampling, generation. */
export * from "./beam.ts";
export * from "./chat.ts";
export * from "./decodeRows.ts";
export * from "./decoder.ts";
export * from "./decoding.ts";
export * from "./encoder.ts";
export * from "./generate.ts";
export * from "./graphs.ts";
export * from "./sample.ts";
export * from "./seq2seq.ts";
export * from "./seq2seqDecoder.ts";
export * from "./stop.ts";
