/** Architectures, models, loading. */

export { architectureOf, type LoadOptions } from "./checkpoint/config.ts";
export { type Generation, generationOf, type LogitsSettings } from "./checkpoint/generationConfig.ts";
export { modelOf } from "./checkpoint/load.ts";
export type { DecoderParams } from "./decoders/decoder.ts";
export { type Block, type Gpt2Config, type Gpt2Params, gpt2, gpt2Config } from "./decoders/gpt2.ts";
export { type LlamaConfig, llama, llamaConfig } from "./decoders/llama.ts";
export { type Qwen2Config, qwen2, qwen2Config } from "./decoders/qwen2.ts";
export { type Qwen3Config, qwen3, qwen3Config } from "./decoders/qwen3.ts";
export { type BertConfig, type BertParams, bert, bertConfig } from "./encoders/bert.ts";
export {
  type DistilBertConfig,
  type DistilBertLayer,
  type DistilBertParams,
  distilBertConfig,
  distilbert,
} from "./encoders/distilbert.ts";
export { type ElectraConfig, type ElectraParams, electra, electraConfig } from "./encoders/electra.ts";
export { type EncoderConfig, type Labels, readsTokenTypes } from "./encoders/encoder.ts";
export { modernBertConfig, modernbert } from "./encoders/modernbert.ts";
export type { ModernBertConfig } from "./encoders/modernbertConfig.ts";
export type { ModernBertParams } from "./encoders/modernbertParams.ts";
export {
  type MpnetConfig,
  type MpnetLayer,
  type MpnetParams,
  mpnet,
  mpnetConfig,
} from "./encoders/mpnet.ts";
export {
  type RobertaConfig,
  type RobertaParams,
  roberta,
  robertaConfig,
  type XlmRobertaConfig,
  xlmRoberta,
  xlmRobertaConfig,
} from "./encoders/roberta.ts";
export { headOf } from "./head.ts";
export { isInner, type LinearInfo, type LinearRole, packable } from "./linears.ts";
export type {
  Architecture,
  CacheShape,
  CrossCache,
  Decoded,
  DecodeInputs,
  Head,
  HistoryStep,
  Inputs,
  Json,
  LayerCache,
  Model,
  ModelConfig,
  Outputs,
  Pooling,
  PoolingMode,
  Seq2SeqArchitecture,
} from "./model.ts";
export { architectures } from "./registry.ts";
export { type MarianParams, marian } from "./seq2seq/marian.ts";
export type { MarianConfig } from "./seq2seq/marianConfig.ts";
export { type T5Params, t5 } from "./seq2seq/t5.ts";
export type { T5Config } from "./seq2seq/t5Config.ts";
