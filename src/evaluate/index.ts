/** Quality and speed. */
export * from "./quality.ts";
export * from "./speed.ts";
