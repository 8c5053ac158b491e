/** Reports and cards: of a run, of prepared data. */
export * from "./data/card.ts";
export * from "./data/report.ts";
export * from "./run/card.ts";
export * from "./run/report.ts";
export * from "./run/sourceCard.ts";
