/** Whole runs, as functions: what the command line calls. */
export * from "./export.ts";
export * from "./generate.ts";
export * from "./gguf.ts";
export * from "./hooks.ts";
export * from "./options.ts";
export * from "./proxyMix.ts";
export * from "./quickstart.ts";
export * from "./train.ts";
export * from "./ui.ts";
export * from "./use.ts";
export * from "./verify.ts";
