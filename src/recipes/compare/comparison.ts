/** What a comparison of two models is asked, and what it finds. */
import type { Figures, Measured } from "../../metrics/metric.ts";
import type { Disagreement } from "../../report/beside.ts";
import type { Figure } from "../../search/figures.ts";
import type { Difference } from "../../search/picks/difference.ts";
import type { ExportDtype } from "../../ship/onnx/dtype.ts";

/** How two models are compared. */
export interface CompareOptions {
  /** Of both, unless a model is named as FOLDER#DTYPE; a folder's own default unless told. */
  readonly dtype?: string;
  /** Least share of the first model's figure that the second keeps: above 0, at most 1. */
  readonly minRetention?: number;
  /** Most examples that are measured, where the task takes such. */
  readonly limit?: number;
  /** The model that both are told against: of preferences, the one that was untouched. */
  readonly reference?: string;
  /** How often speed is measured, of both in turns: 6 unless told; 0: not at all. */
  readonly turns?: number;
  /** Whether a limit that noise leaves open counts as one that is not kept. */
  readonly sure?: boolean;
}

/** One of the two. */
export interface Compared {
  /** As it was named. */
  readonly model: string;
  readonly dtype: ExportDtype;
  readonly graphs: "shipped" | "made";
  readonly figures: Figures;
}

/** A limit, and whether the second model keeps it. */
export interface JudgedLimit {
  /** "at least 0.98 of the start's accuracy kept" */
  readonly limit: string;
  readonly figure: string;
  /** What was measured: of a share of the first model's, the share. */
  readonly measured: Measured;
  readonly bound: number;
  /** Whether both are shares of what the first model has. */
  readonly share: boolean;
  readonly kept: boolean;
  /** Whether the interval of what was measured lies on one side of the limit. */
  readonly sure: boolean;
  /** Where it does not: how many more would tell, and of what; none where no number would. */
  readonly needed?: { readonly more: number; readonly of: string };
}

/** Two models on the same held-out data; the first is the start that shares are of. */
export interface Comparison {
  readonly task: string;
  readonly first: Compared;
  readonly second: Compared;
  /** "872 records" */
  readonly measuredOn: string;
  /** What pairs are of: "record". */
  readonly example: string;
  readonly pairs: number;
  readonly turns: number;
  /** What is compared, the figure that decides first. */
  readonly shown: readonly Figure[];
  /** How the second differs from the first. */
  readonly differences: readonly Difference[];
  readonly limits: readonly JudgedLimit[];
  /** Whether the second keeps all limits. */
  readonly met: boolean;
  readonly predictions?: Disagreement;
}
