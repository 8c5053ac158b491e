/**
 * Learning from a teacher's distribution (Hinton et al. 2015, https://arxiv.org/abs/1503.02531): its logits are
 * inputs of the batch.
 */
import type { Value } from "../../ir/op.ts";
import type { Outputs } from "../../models/model.ts";
import { type Divergence, distillLoss } from "../../nn/divergence.ts";
import { countedLabels, totalsOver } from "../../nn/loss.ts";
import type { Param } from "../../nn/param.ts";
import { reshape } from "../../ops/structure.ts";
import type { Tree } from "../../util/tree.ts";
import { languageModelling } from "../languageModelling.ts";
import { type Objective, rowsOf } from "../objective.ts";

/** How a student learns from what a teacher says of each batch. */
export interface Teaching {
  /** Its inputs are the batch's and those that `says` names. */
  readonly objective: Objective;
  /** What the teacher's outputs on a batch are to the objective, by the names of its inputs. */
  says(
    outputs: Outputs,
    batch: Readonly<Record<string, Value>>,
    params: Tree<Param>,
  ): Readonly<Record<string, Value>>;
  /** Whether `says` looks for what the teacher's weights multiply: they are then inputs of its program. */
  readonly readsWeights?: true;
}

/** How far a student's vectors of texts can be from its teacher's. */
export const vectorLosses = ["tokens", "cosine", "mse", "relations"] as const;

/** The name of such a loss. */
export type VectorLossName = (typeof vectorLosses)[number];

/** How much the teacher counts, and how soft its distribution is. */
export interface DistillOptions {
  /** Share of the teacher's distribution in the loss; the rest is the data's own labels. */
  readonly alpha?: number;
  /** Softening of both distributions. */
  readonly temperature?: number;
  /** How far apart two distributions are: forward KL unless told. */
  readonly divergence?: Divergence;
  /** Of embeddings: how far vectors are from the teacher's; those of all tokens count unless told. */
  readonly vectors?: VectorLossName;
}

/**
 * alpha * distillation from the teacher's logits [N, V] + (1 - alpha) * cross-entropy of the labels [N] of
 * `base`, which says each token of a row.
 */
export const distillation = (
  options: DistillOptions = {},
  base: Objective = languageModelling,
): Objective => {
  const { alpha = 0.9, temperature = 1, divergence = "forward" } = options;
  const how = { alpha, temperature, divergence };
  return {
    name: "distill",
    inputs: (shape) => {
      const inputs = base.inputs(shape);
      const rows = inputs.labels!.shape[0]!;
      return { ...inputs, teacherLogits: { dtype: "float32", shape: [rows, shape.vocab] } };
    },
    totals: (outputs, { labels, teacherLogits }) => {
      const { counts, safe } = countedLabels(labels!);
      const n = labels!.shape[0] as number;
      const column = reshape(safe, [n, 1]);
      const losses = distillLoss(rowsOf(outputs.logits), teacherLogits!, column, how);
      return totalsOver(losses, reshape(counts, [n, 1]));
    },
    // No teacher is asked there.
    heldOut: base.heldOut ?? base,
  };
};

/** Teaching by the logits of each token that `base` says. */
export const tokenTeaching = (base: Objective, options: DistillOptions): Teaching => ({
  objective: distillation(options, base),
  says: ({ logits }) => ({ teacherLogits: rowsOf(logits) }),
});
