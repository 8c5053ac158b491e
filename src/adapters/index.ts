/** Low-rank adapters. */
export { type AdaptOptions, adapt, besidesAdapters, isAdapted } from "./adapt.ts";
export * from "./merge.ts";
export * from "./peft/read.ts";
export * from "./peft/write.ts";
