/** Quality and speed, and whether numbers are the same elsewhere. */
export * from "./agreement.ts";
export * from "./quality.ts";
export * from "./reader.ts";
export * from "./reference.ts";
export * from "./speed.ts";
export * from "./trial.ts";
