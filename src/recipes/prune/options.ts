/** What is asked of a pruning, and what it gives. */
import { ConfigError } from "../../util/errors.ts";

/** What is cut off a folder's model. */
export interface PruneFolderOptions {
  /** The folder to write. */
  readonly out: string;
  /** Layers that stay; all unless told. */
  readonly layers?: number;
  /** Whether tokens that the text has not go; they stay unless told. */
  readonly cutVocab?: boolean;
  /** Updates in which the whole model teaches what is left of it; none unless told. */
  readonly recover?: number;
}

/** Size and score of a model. */
export interface PrunedForm {
  readonly params: number;
  readonly layers: number;
  readonly tokens: number;
  /** Mean of the held-out examples, in `unit`. */
  readonly score: number;
}

/** What was cut, and what it cost. */
export interface PruneReport {
  readonly before: PrunedForm;
  /** Without teaching; absent where there is none. */
  readonly cut?: PrunedForm;
  readonly after: PrunedForm;
  readonly unit: string;
  readonly better: "less" | "more";
  /** Held-out examples that were scored. */
  readonly scored: number;
  /** The layers that stay, by their former index. */
  readonly kept: readonly number[];
}

/** Throws ConfigError where nothing is asked for. */
export const requireCut = ({ layers, cutVocab = false }: PruneFolderOptions): void => {
  if (layers !== undefined || cutVocab) return;
  throw new ConfigError("asks for nothing", { field: "prune", hint: "give --layers N or --cut-vocab" });
};
