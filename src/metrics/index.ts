/** The arithmetic of evaluation: figures with intervals, as pure functions of predictions and references. */
export * from "./bootstrap.ts";
export * from "./likelihood.ts";
export * from "./metric.ts";
export * from "./numbers/pearson.ts";
export * from "./numbers/spearman.ts";
export * from "./proportion.ts";
export * from "./text/bleu.ts";
export type { BleuTokenizer } from "./text/bleuTokens.ts";
export * from "./text/chrf.ts";
export type { References } from "./text/references.ts";
