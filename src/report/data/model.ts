/** What the report of data says, as plain data: the contents of report.json. */

import type { LengthHistogram } from "../../data/pipeline/histogram.ts";
import type { StageReport } from "../../data/records/document.ts";

/** A stage, with its tokens where they are counted. */
export interface PipelineStage extends StageReport {
  readonly tokensIn?: number;
  readonly tokensOut?: number;
}

/** How much there is of a language. */
export interface LanguageCount {
  /** ISO 639 code, or what the detector says where it knows none. */
  readonly language: string;
  readonly documents: number;
  readonly bytes?: number;
}

/** Documents that are near-duplicates of each other. */
export interface ClusterExample {
  readonly kept: { readonly id: string; readonly excerpt: string };
  readonly dropped: readonly {
    readonly id: string;
    readonly excerpt: string;
    /** Estimated Jaccard similarity with what it matched, from 0 to 1. */
    readonly similarity: number;
    /** What it matched, where that is not the one kept. */
    readonly matched?: string;
  }[];
}

/** The clusters of near-duplicates. */
export interface ClusterSummary {
  /** How they were found, in words. */
  readonly method: string;
  readonly clusters: number;
  /** Documents in clusters, the kept ones too. */
  readonly documents: number;
  /** Number of clusters by size. */
  readonly sizes: readonly { readonly size: number; readonly clusters: number }[];
  readonly examples: readonly ClusterExample[];
}

/** A filter's rule and whom it hit. */
export interface RuleVictims {
  readonly name: string;
  /** What it measures, in words. */
  readonly measures: string;
  /** What is allowed: "at least" or "at most" the threshold. */
  readonly allows: "at least" | "at most";
  readonly threshold: number;
  /** Where it is from. */
  readonly source: string;
  readonly count: number;
  readonly examples: readonly { readonly id: string; readonly excerpt: string; readonly value: number }[];
}

/** Evaluation text that stands in the data. */
export interface ContaminationHits {
  /** The evaluation files. */
  readonly file: string;
  /** Length of the n-grams compared, in words. */
  readonly ngram: number;
  /** Pairs of a document and a record of theirs that has an n-gram in it. */
  readonly hits: number;
  readonly examples: readonly { readonly id: string; readonly excerpt: string; readonly matched: string }[];
}

/** A measure before and after selection. */
export interface BeforeAfter {
  readonly name: string;
  readonly before: number;
  readonly after: number;
}

/** How a selection differs from the pool it is of. */
export interface SelectionFigures {
  /** The text that the selection is to be like. */
  readonly target: string;
  readonly method: string;
  readonly pool: number;
  readonly selected: number;
  /** Divergence from the target, in nats. */
  readonly klBefore: number;
  readonly klAfter: number;
  /** Shares of the target's vocabulary and clusters that are there. */
  readonly coverage: readonly BeforeAfter[];
  readonly diversity: readonly BeforeAfter[];
}

/** One source's part of the mixture. */
export interface MixturePart {
  readonly source: string;
  readonly documents: number;
  readonly tokens: number;
  /** Share of the mixture. */
  readonly weight: number;
  /** How often each of the source's tokens comes. */
  readonly epochs: number;
}

/** One part of the result and its files. */
export interface SplitPart {
  readonly name: string;
  readonly documents: number;
  readonly bytes: number;
  readonly tokens?: number;
  /** Files of this part, relative to the folder. */
  readonly files: readonly string[];
}

/** A file by its hash, in hexadecimal. */
export interface HashedFile {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Of what, by what and how the data was made. */
export interface DataProvenance {
  /** The exact command. */
  readonly command: string;
  readonly createdBy: string;
  readonly seed: number;
  readonly config: Readonly<Record<string, unknown>>;
  readonly configHash: string;
  readonly inputs: readonly HashedFile[];
  readonly outputs: readonly HashedFile[];
}

/** The contents of report.json. */
export interface DataPipelineReport {
  readonly title: string;
  /** In the order of the pipeline; what one lets out goes into the next. */
  readonly stages: readonly PipelineStage[];
  readonly histograms: readonly LengthHistogram[];
  readonly languages: readonly LanguageCount[];
  readonly clusters?: ClusterSummary;
  readonly rules: readonly RuleVictims[];
  readonly contamination: readonly ContaminationHits[];
  readonly selection?: SelectionFigures;
  readonly mixture: readonly MixturePart[];
  readonly splits: readonly SplitPart[];
  /** The tokenizer of the token counts, where there are any. */
  readonly tokenizer?: { readonly name: string; readonly vocab: number };
  readonly notes: readonly string[];
  readonly provenance: DataProvenance;
}
