/** Quality and speed, and whether numbers are the same elsewhere. */
export * from "./parity/agreement.ts";
export * from "./parity/reader.ts";
export * from "./parity/reference.ts";
export * from "./parity/trial.ts";
export * from "./quality.ts";
export * from "./speed.ts";
