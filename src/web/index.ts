/** Pages: onnxruntime-web as an engine, and trials in it. No node: module is imported here. */
export * from "./adapter.ts";
export * from "./engine.ts";
export * from "./trial.ts";
