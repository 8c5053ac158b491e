/** Whole runs, as functions: what the command line calls. */

export * from "./config/options.ts";
export * from "./context/hooks.ts";
export * from "./context/ui.ts";
export * from "./export.ts";
export * from "./generate.ts";
export * from "./gguf.ts";
export * from "./proxyMix.ts";
export * from "./quickstart.ts";
export * from "./train.ts";
export * from "./use.ts";
export * from "./verify/verify.ts";
