/** Architectures, models, loading. */
export * from "./gpt2.ts";
export * from "./load.ts";
export * from "./model.ts";
export { architectures } from "./registry.ts";
export { taskOf } from "./task.ts";
