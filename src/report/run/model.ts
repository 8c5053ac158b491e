/** What the report and the model card are made of. */
import type { DataReport } from "../../data/records/document.ts";
import type { HistoryStep } from "../../models/model.ts";
import type { Choosable } from "../../search/budget.ts";
import type { FormDtype } from "../../search/candidates/formats/format.ts";
import type { Budget, Figure } from "../../search/figures.ts";
import type { NamedPick } from "../../search/picks/picks.ts";
import type { Space, Values } from "../../search/space/space.ts";
import type { ParityFile } from "../../ship/verify/verify.ts";
import type { Disagreement } from "../beside.ts";
import type { Importance } from "../search/importance.ts";
import type { Funnel } from "./funnel.ts";

/** A measured candidate. */
export interface ReportCandidate extends Choosable {
  readonly name: string;
  /** Which dense model it is a form of. */
  readonly base: string;
  readonly dtype: FormDtype;
  readonly layers: number;
  readonly params: number;
  /** Not dominated in what is lost, size, median time and what else the budget limits. */
  readonly onFront: boolean;
  readonly note?: string;
  /** That of its trial, where it is one of a search. */
  readonly number?: number;
  /** Its place in the space that was searched. */
  readonly values?: Values;
  /** The passes that made it. */
  readonly lineage?: readonly HistoryStep[];
  /** The command that delivers it. */
  readonly command?: string;
}

/** What was searched, and what of it decided. */
export interface ReportSearch {
  readonly space: Space;
  /** By PED-ANOVA; none where there are too few trials. */
  readonly importance: Importance;
  /** How far each configuration came. */
  readonly funnel: Funnel;
}

/** Losses of one training run. */
export interface ReportCurve {
  readonly name: string;
  readonly train: readonly (readonly [step: number, loss: number])[];
  readonly validation: readonly (readonly [step: number, loss: number])[];
}

/** Text that a candidate wrote after a prompt. */
export interface Sample {
  readonly name: string;
  readonly prompt: string;
  readonly text: string;
}

/** Where the folder comes from. */
export interface Provenance {
  readonly command: string;
  readonly seed: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: string;
  /** SHA-256 of each shipped file, in hexadecimal. */
  readonly hashes: Readonly<Record<string, string>>;
  readonly createdBy: string;
}

/** What the report of a run says. */
export interface Report {
  readonly title: string;
  /** Name of the candidate that is shipped. */
  readonly chosen: string;
  /** How it was chosen, in words. */
  readonly rule: string;
  readonly met: boolean;
  /** What the chosen one exceeds: empty where the budget is met. */
  readonly exceeded: readonly string[];
  readonly budget: Budget;
  /** What the candidates' figures are, the task's own first. */
  readonly figures: readonly Figure[];
  /** What transformers.js calls what the model does. */
  readonly pipeline: string;
  /** The one file that is shipped, where that is for llama.cpp; graphs are unless told. */
  readonly ggufFile?: string;
  /** The first is the reference: the whole model in its most exact dtype. */
  readonly candidates: readonly ReportCandidate[];
  /** The named ones, as `picksOf` finds them with the losses of pairs; found by intervals unless told. */
  readonly picks?: readonly NamedPick<ReportCandidate>[];
  /** Where candidates are trials of a search. */
  readonly search?: ReportSearch;
  /** The start beside the chosen one, where they predict: of the same held-out records. */
  readonly beside?: Disagreement;
  readonly curves: readonly ReportCurve[];
  readonly data: DataReport;
  readonly tokens: {
    readonly train: number;
    readonly validation: number;
    readonly vocab: number;
    readonly bytesPerToken: number;
  };
  readonly samples: readonly Sample[];
  readonly parity: ParityFile;
  readonly notes: readonly string[];
  readonly provenance: Provenance;
}
