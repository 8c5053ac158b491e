/** What the report and the model card are made of. */
import type { DataReport } from "../../data/records/document.ts";
import type { Budget, Figures } from "../../search/budget.ts";
import type { ShipDtype } from "../../ship/onnx/dtype.ts";
import type { ParityFile } from "../../ship/verify/verify.ts";

/** What the figures of a report are. */
export interface ReportMetric {
  /** "bits per byte" */
  readonly name: string;
  readonly better: "less" | "more";
  /** What a step is: "token", "text". */
  readonly step: string;
}

/** A measured candidate. */
export interface ReportCandidate extends Figures {
  /** The task's figure on held-out data. */
  readonly quality: number;
  readonly name: string;
  /** Which dense model it is a form of. */
  readonly base: string;
  readonly dtype: ShipDtype;
  readonly layers: number;
  readonly params: number;
  readonly p95Ms: number;
  readonly prefillTokensPerSec: number;
  readonly memoryBytes: number;
  /** Not dominated in size, time and quality together. */
  readonly onFront: boolean;
  readonly note?: string;
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
  readonly metric: ReportMetric;
  /** What transformers.js calls what the model does. */
  readonly pipeline: string;
  /** The first is the reference: the whole model in its most exact dtype. */
  readonly candidates: readonly ReportCandidate[];
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
