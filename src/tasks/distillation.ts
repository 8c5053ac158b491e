/**
 * Learning from a teacher's distribution (Hinton et al. 2015, https://arxiv.org/abs/1503.02531): its logits are
 * inputs of the batch.
 */
import type { Value } from "../ir/op.ts";
import type { Outputs } from "../models/model.ts";
import { countedLabels, distillLoss, totalsOver } from "../nn/loss.ts";
import { reshape } from "../ops/structure.ts";
import { languageModelling } from "./languageModelling.ts";
import { type Objective, rowsOf } from "./objective.ts";

/** How a student learns from what a teacher says of each batch. */
export interface Teaching {
  /** Its inputs are the batch's and those that `says` names. */
  readonly objective: Objective;
  /** What the teacher's outputs on a batch are to the objective, by the names of its inputs. */
  says(outputs: Outputs, batch: Readonly<Record<string, Value>>): Readonly<Record<string, Value>>;
}

/** How much the teacher counts, and how soft its distribution is. */
export interface DistillOptions {
  /** Share of the teacher's distribution in the loss; the rest is the data's own labels. */
  readonly alpha?: number;
  /** Softening of both distributions. */
  readonly temperature?: number;
}

/**
 * alpha * distillation from the teacher's logits [N, V] + (1 - alpha) * cross-entropy of the labels [N] of
 * `base`, which says each token of a row.
 */
export const distillation = (
  options: DistillOptions = {},
  base: Objective = languageModelling,
): Objective => {
  const { alpha = 0.9, temperature = 1 } = options;
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
      const losses = distillLoss(rowsOf(outputs.logits), teacherLogits!, column, { alpha, temperature });
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
