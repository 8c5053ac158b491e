/** Tokenizers: trained, loaded, saved. */
export { type ByteLevelParts, byteLevelTokenizer } from "./bpe/byteLevelTokenizer.ts";
export { type TrainBpeOptions, trainBpe } from "./bpe/trainBpe.ts";
export { charTokenizer, charTokenizerOf } from "./kinds/char.ts";
export { type LoadOptions, loadTokenizer } from "./load.ts";
export { fromGguf, ggufStopIds } from "./older/fromGguf.ts";
export { fromMarian, fromSentencePiece } from "./older/fromSentencePiece.ts";
export { fromVocabJson, fromVocabTxt } from "./older/fromVocab.ts";
export type { OlderOptions } from "./older/older.ts";
export { readSentencePiece, type SentencePieceModel } from "./older/sentencepiece.ts";
export type {
  EncodeOptions,
  FilesOptions,
  InputOptions,
  Json,
  SpecialIds,
  StreamDecoder,
  TokenInputs,
  Tokenizer,
  TokenizerFiles,
} from "./tokenizer.ts";
