/** Tokenizers: trained, loaded, saved. */
export * from "./bpe/byteLevelTokenizer.ts";
export * from "./bpe/trainBpe.ts";
export * from "./char.ts";
export * from "./load.ts";
export { fromGguf, ggufStopIds } from "./older/fromGguf.ts";
export { fromMarian, fromSentencePiece } from "./older/fromSentencePiece.ts";
export { fromVocabJson, fromVocabTxt } from "./older/fromVocab.ts";
export type { OlderOptions } from "./older/older.ts";
export { readSentencePiece } from "./older/sentencepiece.ts";
export * from "./tokenizer.ts";
