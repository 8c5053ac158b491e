/** Whole runs, as functions: what the command line calls. */
export * from "./options.ts";
export * from "./quickstart.ts";
export * from "./train.ts";
export * from "./ui.ts";
export * from "./use.ts";
