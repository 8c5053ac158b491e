/** The shipped folder: graphs, parity, card, report. */
export * from "./bundle.ts";
export * from "./card.ts";
export * from "./dataCard.ts";
export * from "./dataReport.ts";
export * from "./dtype.ts";
export * from "./export.ts";
export * from "./gguf.ts";
export * from "./parity.ts";
export * from "./report.ts";
export * from "./sourceCard.ts";
export * from "./verify.ts";
export * from "./verifyReference.ts";
export * from "./verifyTable.ts";
