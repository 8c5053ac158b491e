/** How wide the rows of a batch are: one number, or two where a row has a target of its own length. */
import type { Feeds } from "../engine/engine.ts";
import type { Width } from "../tasks/task.ts";

/** What a step is made for. */
export interface WidthOptions {
  /** Tokens of a row; of the longest, where batches have rows of several widths. */
  readonly context: number;
  /** Tokens of a row's target, where batches have targets of several lengths; of the longest. */
  readonly target?: number;
}

/** A width as the options of a step. */
export const widthOptions = (width: Width): WidthOptions =>
  typeof width === "number" ? { context: width } : { context: width.source, target: width.target };

/** The options of a step on rows as wide as those of these feeds, whose names have a prefix. */
export const widthOf = (feeds: Feeds, prefix = ""): WidthOptions => {
  const target = feeds[`${prefix}decoderInputIds`]?.shape[1];
  const context = feeds[`${prefix}inputIds`]!.shape[1]!;
  return target === undefined ? { context } : { context, target };
};

/** The name of a width among several: of pairs "12x14". */
export const widthKey = ({ context, target }: WidthOptions): string =>
  target === undefined ? `${context}` : `${context}x${target}`;

/** The name of the only width that there is. */
export const ONLY = "only";
