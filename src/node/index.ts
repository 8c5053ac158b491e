/** Node: the engine, files, checkpoints, locks, measuring. */
export * from "./engine.ts";
export * from "./files.ts";
export * from "./folder.ts";
export * from "./lock.ts";
export * from "./probe.ts";
export * from "./read.ts";
export * from "./store.ts";
