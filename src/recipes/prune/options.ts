/** What is asked of a pruning, and what it gives. */
import { type Importance, importances } from "../../compress/pruning/importance.ts";
import { patternOf } from "../../compress/sparsity/pattern.ts";
import { type SparsityName, sparsityMethods } from "../../compress/sparsity/sparsify.ts";
import { ConfigError } from "../../util/errors.ts";

/** What layers are chosen by: the loss without each of them, or how far each turns what goes through it. */
export const layerMeasures = ["loss", "influence"] as const;
/** The name of such a measure. */
export type LayerMeasure = (typeof layerMeasures)[number];

/** What is cut off a folder's model. */
export interface PruneFolderOptions {
  /** The folder to write. */
  readonly out: string;
  /** Layers that stay; all unless told. */
  readonly layers?: number;
  /** What layers are chosen by; the loss unless told, which takes a pass over some text for each choice. */
  readonly layersBy?: LayerMeasure;
  /** Neurons of each MLP that stay: a share below 1, or a number; all unless told. */
  readonly neurons?: number;
  /** Query heads of each attention that stay: a share below 1, or a number; all unless told. */
  readonly heads?: number;
  /** Channels of the hidden states that stay: a share below 1, or a number; all unless told. */
  readonly width?: number;
  /** What neurons and heads are chosen by; activations unless told. */
  readonly importance?: Importance;
  /** Whether what is left is fitted to what the whole model computes; it is unless told. */
  readonly restore?: boolean;
  /** Whether tokens that the text has not go; they stay unless told. */
  readonly cutVocab?: boolean;
  /** The part of matrices in layers that is to be 0: "0.5", "2:4"; none unless told. Not quicker: smaller. */
  readonly sparsity?: string;
  /** Whether each matrix has a share of its own, by what zeros cost it; all alike unless told. */
  readonly allocate?: boolean;
  /** How those numbers are chosen; by SparseGPT unless told. */
  readonly method?: SparsityName;
  /** Updates in which the whole model teaches what is left of it; none unless told. */
  readonly recover?: number;
  /** Tokens that units are chosen and matrices are fitted by, at most. */
  readonly tokens?: number;
}

/** Tokens of calibration unless told. */
export const PRUNE_TOKENS = 8192;

/** Size and score of a model. */
export interface PrunedForm {
  readonly params: number;
  readonly layers: number;
  readonly tokens: number;
  /** Channels of the hidden states, where they can be cut. */
  readonly width?: number;
  /** Of the first MLP. */
  readonly neurons: number;
  /** Query heads of an attention, where heads can be cut. */
  readonly heads?: number;
  /** Where numbers are made 0: the share of them that is, and the bytes that gzip makes of the weights. */
  readonly packed?: { readonly zeros: number; readonly gzipBytes: number };
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
  /** How numbers were made 0, where some were. */
  readonly sparse?: { readonly method: SparsityName; readonly pattern: string };
}

/** Throws ConfigError for a name that is none of `names`. */
const requireOne = (field: string, name: string, names: readonly string[]): void => {
  if (names.includes(name)) return;
  throw new ConfigError(`must be one of ${names.join(", ")}, not ${JSON.stringify(name)}`, { field });
};

/** Throws ConfigError where nothing is asked for, or for a measure that there is not. */
export const requireCut = (options: PruneFolderOptions): void => {
  const { layers, neurons, heads, width, cutVocab = false, sparsity, recover = 0 } = options;
  const { importance = "activation", layersBy = "loss", method = "sparsegpt" } = options;
  requireOne("prune.importance", importance, importances);
  requireOne("prune.layersBy", layersBy, layerMeasures);
  requireOne("prune.method", method, Object.keys(sparsityMethods));
  if (sparsity !== undefined) patternOf(sparsity);
  const shrinks = cutVocab || [layers, neurons, heads, width].some((given) => given !== undefined);
  if (sparsity !== undefined && !shrinks && recover > 0) {
    throw new ConfigError("would fill the zeros again: numbers are made 0 after all teaching", {
      field: "prune.recover",
      hint: "leave --recover out, or cut --neurons, --heads or --layers too",
    });
  }
  if (options.allocate && sparsity === undefined) {
    throw new ConfigError("divides zeros among matrices, and none are asked for", {
      field: "prune.allocate",
      hint: "add --sparsity 0.5, or leave --allocate out",
    });
  }
  if (shrinks || sparsity !== undefined) return;
  throw new ConfigError("asks for nothing", {
    field: "prune",
    hint: "give --layers N, --neurons 0.5, --heads 0.5, --sparsity 0.5 or --cut-vocab",
  });
};
