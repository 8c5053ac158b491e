/** The arithmetic of evaluation: figures with intervals, as pure functions of predictions and references. */
export { bootstrap, bootstrapMean, bootstrapSums, type Statistic } from "./bootstrap.ts";
export { accuracy } from "./labels/accuracy.ts";
export type { Average } from "./labels/average.ts";
export {
  type CalibrationOptions,
  calibrationError,
  type Guess,
  type ReliabilityBin,
  reliability,
} from "./labels/calibration.ts";
export { type Confusion, confusion } from "./labels/confusion.ts";
export { type Label, type Labels, type Outcome, outcomeOf } from "./labels/counts.ts";
export { type Entity, entitiesOf, type TagScheme } from "./labels/entities.ts";
export {
  type EntityOptions,
  entityF1,
  entityOutcomes,
  entityPrecision,
  entityRecall,
  type Tags,
} from "./labels/entityScores.ts";
export { matthews } from "./labels/matthews.ts";
export {
  type AverageOptions,
  type ClassMeasures,
  type ClassScores,
  f1,
  measuredClasses,
  perClass,
  precision,
  recall,
} from "./labels/precisionRecall.ts";
export { bitsOf, bitsPerByte, loss, perplexity, type TextSize } from "./likelihood.ts";
export {
  exactly,
  type Figures,
  type IntervalOptions,
  type Measured,
  type Metric,
  mapped,
  once,
  paired,
  requireCount,
} from "./metric.ts";
export { pearson } from "./numbers/pearson.ts";
export { ranker, spearman } from "./numbers/spearman.ts";
export { proportion } from "./proportion.ts";
export { meanAveragePrecision } from "./retrieval/meanAveragePrecision.ts";
export { mrr } from "./retrieval/mrr.ts";
export { ndcg } from "./retrieval/ndcg.ts";
export { type CutOptions, type Judgments, type Ranking, ranked } from "./retrieval/ranking.ts";
export { recallAt } from "./retrieval/recallAt.ts";
export { type BleuOptions, type BleuScore, bleu, bleuScore, bleuSignature } from "./text/bleu.ts";
export type { BleuTokenizer } from "./text/bleuTokens.ts";
export { type ChrfOptions, chrf, chrfSignature } from "./text/chrf.ts";
export { exactMatch, normalizeAnswer } from "./text/exactMatch.ts";
export type { References } from "./text/references.ts";
export { type RougeOptions, rougeL } from "./text/rougeL.ts";
