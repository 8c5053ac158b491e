/** Architectures, models, loading. */
export { type BertConfig, type BertParams, bert, bertConfig } from "./bert.ts";
export { architectureOf, type LoadOptions } from "./checkpoint/config.ts";
export { type Generation, generationOf, type LogitsSettings } from "./checkpoint/generationConfig.ts";
export { modelOf } from "./checkpoint/load.ts";
export type { DecoderParams } from "./decoder.ts";
export {
  type DistilBertConfig,
  type DistilBertLayer,
  type DistilBertParams,
  distilBertConfig,
  distilbert,
} from "./distilbert.ts";
export { type EncoderConfig, type Labels, readsTokenTypes } from "./encoder.ts";
export { type Block, type Gpt2Config, type Gpt2Params, gpt2, gpt2Config } from "./gpt2.ts";
export { headOf } from "./head.ts";
export { isInner, type LinearInfo, type LinearRole, packable } from "./linears.ts";
export { type LlamaConfig, llama, llamaConfig } from "./llama.ts";
export { type MarianParams, marian } from "./marian.ts";
export type { MarianConfig } from "./marianConfig.ts";
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
export {
  type MpnetConfig,
  type MpnetLayer,
  type MpnetParams,
  mpnet,
  mpnetConfig,
} from "./mpnet.ts";
export { type Qwen2Config, qwen2, qwen2Config } from "./qwen2.ts";
export { type Qwen3Config, qwen3, qwen3Config } from "./qwen3.ts";
export { architectures } from "./registry.ts";
export {
  type RobertaConfig,
  type RobertaParams,
  roberta,
  robertaConfig,
  type XlmRobertaConfig,
  xlmRoberta,
  xlmRobertaConfig,
} from "./roberta.ts";
export { type T5Params, t5 } from "./t5.ts";
export type { T5Config } from "./t5Config.ts";
