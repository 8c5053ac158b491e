/** The shipped folder: graphs, parity, card, report. */
export * from "./bundle.ts";
export * from "./card.ts";
export * from "./dtype.ts";
export * from "./parity.ts";
export * from "./report.ts";
