/**
 * Learning from a teacher's distribution (Hinton et al. 2015, https://arxiv.org/abs/1503.02531): its logits are
 * inputs of the batch.
 */
import { countedLabels, distillLoss, totalsOver } from "../nn/loss.ts";
import { reshape } from "../ops/structure.ts";
import { languageModelling } from "./causalLm.ts";
import { labelsType, type Objective, rowsOf } from "./objective.ts";

export interface DistillOptions {
  /** Share of the teacher's distribution in the loss; the rest is the data's own labels. */
  readonly alpha?: number;
  /** Softening of both distributions. */
  readonly temperature?: number;
}

/** alpha * distillation from the teacher's logits + (1 - alpha) * cross-entropy of the labels. */
export const distillation = (options: DistillOptions = {}): Objective => {
  const { alpha = 0.9, temperature = 1 } = options;
  return {
    name: "distill",
    inputs: (shape) => ({
      labels: labelsType(shape),
      teacherLogits: { dtype: "float32", shape: [shape.batch * shape.context, shape.vocab] },
    }),
    totals: (outputs, { labels, teacherLogits }) => {
      const { counts, safe } = countedLabels(labels!);
      const n = labels!.shape[0] as number;
      const column = reshape(safe, [n, 1]);
      const losses = distillLoss(rowsOf(outputs.logits), teacherLogits!, column, { alpha, temperature });
      return totalsOver(losses, reshape(counts, [n, 1]));
    },
    // No teacher is asked there.
    heldOut: languageModelling,
  };
};
