/** What is asked of a pruning, and what it gives. */
import type { Importance } from "../../compress/pruning/importance.ts";
import { importances } from "../../compress/pruning/importance.ts";
import { ConfigError } from "../../util/errors.ts";

/** What is cut off a folder's model. */
export interface PruneFolderOptions {
  /** The folder to write. */
  readonly out: string;
  /** Layers that stay; all unless told. */
  readonly layers?: number;
  /** Neurons of each MLP that stay: a share below 1, or a number; all unless told. */
  readonly neurons?: number;
  /** Query heads of each attention that stay: a share below 1, or a number; all unless told. */
  readonly heads?: number;
  /** What neurons and heads are chosen by; activations unless told. */
  readonly importance?: Importance;
  /** Whether what is left is fitted to what the whole model computes; it is unless told. */
  readonly restore?: boolean;
  /** Whether tokens that the text has not go; they stay unless told. */
  readonly cutVocab?: boolean;
  /** Updates in which the whole model teaches what is left of it; none unless told. */
  readonly recover?: number;
  /** Tokens that units are chosen and matrices are fitted by, at most. */
  readonly tokens?: number;
}

/** Tokens of calibration unless told. */
export const PRUNE_TOKENS = 16_384;

/** Size and score of a model. */
export interface PrunedForm {
  readonly params: number;
  readonly layers: number;
  readonly tokens: number;
  /** Of the first MLP. */
  readonly neurons: number;
  /** Query heads of an attention, where heads can be cut. */
  readonly heads?: number;
  /** Mean of the held-out examples, in `unit`. */
  readonly score: number;
}

/** A model on its way: "cut", "restored", "taught", of several rounds with the round's number. */
export interface PruneState extends PrunedForm {
  readonly name: string;
}

/** What was cut, and what it cost. */
export interface PruneReport {
  readonly before: PrunedForm;
  /** What became of it, in order; the last is what was written. */
  readonly states: readonly PruneState[];
  readonly after: PrunedForm;
  readonly unit: string;
  readonly better: "less" | "more";
  /** Held-out examples that were scored. */
  readonly scored: number;
  /** The layers that stay, by their former index. */
  readonly kept: readonly number[];
  /** What neurons and heads were chosen by, where some were. */
  readonly importance?: Importance;
}

/** Throws ConfigError where nothing is asked for, or for a measure that there is not. */
export const requireCut = (options: PruneFolderOptions): void => {
  const { layers, neurons, heads, cutVocab = false, importance = "activation" } = options;
  if (!importances.includes(importance)) {
    throw new ConfigError(`must be one of ${importances.join(", ")}, not ${JSON.stringify(importance)}`, {
      field: "prune.importance",
    });
  }
  if (cutVocab || [layers, neurons, heads].some((given) => given !== undefined)) return;
  throw new ConfigError("asks for nothing", {
    field: "prune",
    hint: "give --layers N, --neurons 0.5, --heads 0.5 or --cut-vocab",
  });
};
