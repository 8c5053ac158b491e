/** Tokenizers: trained, loaded, saved. */
export * from "./byteLevelTokenizer.ts";
export * from "./char.ts";
export { fromGguf, ggufStopIds } from "./fromGguf.ts";
export { fromMarian, fromSentencePiece } from "./fromSentencePiece.ts";
export { fromVocabJson, fromVocabTxt } from "./fromVocab.ts";
export * from "./load.ts";
export type { OlderOptions } from "./older.ts";
export { readSentencePiece } from "./sentencepiece.ts";
export * from "./tokenizer.ts";
export * from "./trainBpe.ts";
