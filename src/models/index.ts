/** Architectures, models, loading. */
export * from "./bert.ts";
export { architectureOf, type LoadOptions } from "./checkpoint/config.ts";
export * from "./checkpoint/generationConfig.ts";
export * from "./checkpoint/load.ts";
export type { DecoderParams } from "./decoder.ts";
export * from "./distilbert.ts";
export { type EncoderConfig, type Labels, readsTokenTypes } from "./encoder.ts";
export * from "./gpt2.ts";
export { headOf } from "./head.ts";
export { isInner, type LinearInfo, type LinearRole, packable } from "./linears.ts";
export * from "./llama.ts";
export { type MarianParams, marian } from "./marian.ts";
export type { MarianConfig } from "./marianConfig.ts";
export * from "./model.ts";
export {
  type MpnetConfig,
  type MpnetLayer,
  type MpnetParams,
  mpnet,
  mpnetConfig,
} from "./mpnet.ts";
export * from "./qwen2.ts";
export * from "./qwen3.ts";
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
