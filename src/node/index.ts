/** Node: the engine, files, checkpoints, locks, measuring, a browser. */
export * from "./browser/browser.ts";
export * from "./browser/static.ts";
export * from "./files/checkpoints.ts";
export * from "./files/files.ts";
export * from "./files/lock.ts";
export * from "./hub/hub.ts";
export * from "./model/folder.ts";
export * from "./model/template.ts";
export * from "./model/tokenizerFiles.ts";
export * from "./prepare/tokenizePool.ts";
export { threadTeam } from "./ranks/threadTeam.ts";
export { htmlToText } from "./read/html.ts";
export { type InputFile, kindOf } from "./read/inputs.ts";
export * from "./read/read.ts";
export * from "./runtime/engine.ts";
export * from "./runtime/probe.ts";
export * from "./runtime/trial.ts";
export * from "./runtime/webgpu.ts";
