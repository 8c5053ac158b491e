/** Reports and cards: of a run, of prepared data. */
export { dataCard } from "./data/card.ts";
export {
  type BeforeAfter,
  type ClusterExample,
  type ClusterSummary,
  type ContaminationHits,
  type DataPipelineReport,
  type DataProvenance,
  dataReportHtml,
  dataReportJson,
  type HashedFile,
  type LanguageCount,
  type MixturePart,
  type PipelineStage,
  type RuleVictims,
  type SelectionFigures,
  type SplitPart,
} from "./data/report.ts";
export { type CardParts, modelCard } from "./run/card.ts";
export {
  type Provenance,
  type Report,
  type ReportCandidate,
  type ReportCurve,
  reportHtml,
  type Sample,
} from "./run/report.ts";
export {
  type CardSource,
  type ExportCard,
  exportCard,
  type TrainedCard,
  trainedCard,
} from "./run/sourceCard.ts";
