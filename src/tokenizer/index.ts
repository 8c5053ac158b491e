/** Tokenizers: trained, loaded, saved. */
export * from "./byteLevelTokenizer.ts";
export * from "./char.ts";
export * from "./load.ts";
export * from "./tokenizer.ts";
export * from "./trainBpe.ts";
