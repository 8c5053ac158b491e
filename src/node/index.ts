/** Node: the engine, files, checkpoints, locks, measuring, a browser. */
export * from "./browser.ts";
export * from "./engine.ts";
export * from "./files.ts";
export * from "./folder.ts";
export * from "./hub.ts";
export { type InputFile, kindOf } from "./inputs.ts";
export * from "./lock.ts";
export * from "./probe.ts";
export * from "./read.ts";
export { htmlToText } from "./readHtml.ts";
export * from "./static.ts";
export * from "./store.ts";
export * from "./template.ts";
export { threadTeam } from "./threadTeam.ts";
export * from "./tokenizePool.ts";
export * from "./tokenizerFiles.ts";
export * from "./trial.ts";
export * from "./webgpu.ts";
