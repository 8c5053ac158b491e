/** From raw documents to batches of tokens. */

export { type Batch, type BatchOptions, batches, evalBatches, type TokenSource } from "./batch/batches.ts";
export { type Masked, type MaskingOptions, maskTokens } from "./batch/masking.ts";
export { pack, type TokenStream } from "./batch/pack.ts";
export { bestFit, bestFitPacker, type PackedBlock } from "./batch/packing.ts";

export {
  type Packing,
  SHARD_TOKENS,
  type ShardEntry,
  type ShardIndex,
  type SplitIndex,
  type TokenWriterOptions,
  tokenWriter,
} from "./batch/tokenShards.ts";
export {
  type MaskedBatch,
  type PieceSource,
  type WindowBatchOptions,
  windowBatches,
} from "./batch/windows.ts";
export {
  type Banding,
  type BandingName,
  type BandingOptions,
  banding,
  bandings,
  bandKeys,
  candidateProbability,
  evenOdds,
} from "./dedup/bands.ts";
export { dedup, textHash } from "./dedup/exact.ts";
export { hash128 } from "./dedup/hash.ts";
export { exactIndex } from "./dedup/keyTable.ts";
export { dropRepeatedLines, type RepeatedLineOptions, type RepeatedLines } from "./dedup/lines.ts";
export { type Signer, type SignerOptions, signer, similarity } from "./dedup/minhash.ts";
export {
  type Clusterer,
  type ClustererOptions,
  clusterer,
  type KeepRule,
} from "./dedup/nearDuplicates.ts";
export { jaccard, shingler, shingleSets } from "./dedup/shingles.ts";
export { type StarOptions, type StarRows, stars } from "./dedup/stars.ts";
export {
  dropRepeatedSubstrings,
  type RepeatedSubstrings,
  type SubstringOptions,
  substringFinder,
} from "./dedup/substrings.ts";
export {
  type Contamination,
  type ContaminationIndex,
  type ContaminationOptions,
  contaminationIndex,
  type EvaluationCounts,
  type EvaluationRecord,
  type Hit,
} from "./filter/contamination.ts";
export {
  type Cut,
  type FilterOptions,
  type FilterParts,
  type FilterReason,
  filter,
  type Judgement,
  judge,
} from "./filter/filter.ts";
export {
  type Language,
  type LanguageDetector,
  type LanguageOptions,
  languages,
  loadLanguageDetector,
} from "./filter/language.ts";
export {
  type MaskedText,
  maskedExample,
  maskPersonal,
  type PersonalKind,
  type PersonalOptions,
  personalKinds,
} from "./filter/personal.ts";
export { type Rule, share } from "./filter/rule.ts";
export { type PresetName, presets, type RuleOptions, resolveRules, rules } from "./filter/rules.ts";
export type { TextStats } from "./filter/textStats.ts";
export type { SelectionFigures } from "./pipeline/choose.ts";
export type { ClusterSizes } from "./pipeline/duplicates.ts";
export { type LengthHistogram, lengthHistogram } from "./pipeline/histogram.ts";
export type { Dropped, MergeHooks, Part, Placed, Spool } from "./pipeline/part.ts";
export { type Merged, memorySpool, mergeParts } from "./pipeline/pipeline.ts";
export { type Prepared, type PrepareOptions, prepare, split } from "./pipeline/prepare.ts";
export { type MixSettings, type PipelineSettings, pipelineDefaults, type Stage } from "./pipeline/stages.ts";
export {
  type DataReport,
  type Document,
  type Example,
  type Reason,
  type StageReport,
  stageRecorder,
  type Turn,
} from "./records/document.ts";
export {
  type FieldPolicies,
  type FieldPolicy,
  type Fields,
  type Filled,
  fieldPolicy,
  fillMissing,
} from "./records/fields.ts";
export { htmlText } from "./records/html.ts";
export { parseJson } from "./records/json.ts";
export { isPair, type RowOptions, type RowShape, rowShape, shownFields } from "./records/rows.ts";
export {
  type SplitName,
  type SplitShares,
  type SplitTable,
  splitNames,
  splitOf,
  TEST,
  TRAIN,
  VALIDATION,
} from "./records/splits.ts";
export {
  type ClusterCoverage,
  type Coverage,
  type CoverageOptions,
  clusterCoverage,
  coverage,
  type FeatureCoverage,
  featureCoverage,
  type VocabularyCoverage,
  vocabularyCoverage,
} from "./select/coverage.ts";
export {
  type Diversity,
  type DiversityOptions,
  distinctNgrams,
  diversity,
  evenness,
  meanJaccard,
  selfSimilarity,
} from "./select/diversity.ts";
export { type FeatureCounts, type FeatureOptions, featureCounts, textVector } from "./select/features.ts";
export { type ClusterOptions, fitClusters, type TextClusters } from "./select/kmeans.ts";
export {
  interleave,
  type MixedDocument,
  type MixOptions,
  type MixPlan,
  type MixRow,
  mixSchedule,
  planMix,
  type Source,
  temperatureWeights,
} from "./select/mix.ts";
export {
  type Budget,
  divergence,
  type FitOptions,
  fitSelection,
  type SelectionFit,
  type SelectionReport,
  type SelectOptions,
  select,
  selectionReport,
  type WeighOptions,
  weigh,
} from "./select/select.ts";
export { clean, cleanText } from "./text/clean.ts";
export { repairMojibake } from "./text/mojibake.ts";
export { type Change, type RepairOptions, repair, textRepairer } from "./text/repair.ts";
