/** Losses of texts' vectors: what an example's texts are to one another, and to those of other examples. */
import type { Value } from "../../../ir/op.ts";
import type { TensorType } from "../../../ir/tensor.ts";
import type { Totals } from "../../../nn/loss.ts";
import { mul, sub } from "../../../ops/elementwise.ts";
import { reshape, slice } from "../../../ops/structure.ts";

// B examples, G texts of an example, C channels

/** Examples of a batch, and the texts that each has. */
export interface GroupShape {
  readonly batch: number;
  readonly texts: number;
}

/** A loss of vectors. */
export interface VectorLoss {
  readonly name: string;
  /** What it reads besides the vectors and `present`, by name. */
  inputs(shape: GroupShape): Readonly<Record<string, TensorType>>;
  /**
   * vectors [B, G, C] and `present` float32 [B, G], 1 where there is a text and 0 where a row stands for none
   * -> the loss added up, and what its mean divides by, which follows from the batch alone.
   */
  totals(vectors: Value, inputs: Readonly<Record<string, Value>>): Totals;
}

/** The text at place `g` of each example: [B, G, C] -> [B, C], or present [B, G] -> [B]. */
export const textAt = (x: Value, g: number): Value => {
  const [batch, , ...rest] = x.shape;
  return reshape(slice(x, 1, g, g + 1), [batch!, ...rest]);
};

/** Far below any score: of what does not take part. */
const NEVER = -1e9;

/** Scores with those of what is not present (0) out of the softmax; both broadcast. */
export const scoredIf = (present: Value, scores: Value): Value => sub(scores, mul(sub(1, present), -NEVER));
