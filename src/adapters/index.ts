/** Low-rank adapters. */
export { type AdaptOptions, adapt, besidesAdapters, isAdapted } from "./adapt.ts";
export * from "./merge.ts";
export { type LoraOptions, lora, type Tuned } from "./method.ts";
export * from "./peft/read.ts";
export * from "./peft/write.ts";
