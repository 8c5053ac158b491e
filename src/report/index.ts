/** Reports and cards: of a run, of prepared data. */

export type { Differing, Disagreement, SaidText } from "./beside.ts";
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
  type Ended,
  type Funnel,
  type FunnelReason,
  type FunnelStage,
  funnelOf,
  type Provenance,
  type Report,
  type ReportCandidate,
  type ReportCurve,
  type ReportSearch,
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
