/** What a training run minimises: the extra inputs of a batch, and the loss made of a model's outputs. */
import type { Value } from "../ir/op.ts";
import type { TensorType } from "../ir/tensor.ts";
import type { Outputs } from "../models/model.ts";
import { countedLabels, crossEntropy, distillLoss, headLoss, meanOver } from "../nn/loss.ts";
import { isPacked } from "../nn/param.ts";
import { reshape } from "../ops/structure.ts";

// B batch, T time, N = B * T rows, C channels, V vocabulary

export interface BatchShape {
  readonly batch: number;
  readonly context: number;
  readonly vocab: number;
}

export interface Objective {
  readonly name: string;
  /** Inputs besides `inputIds`, by name: the model's (attentionMask, ...) and the loss's (labels, ...). */
  inputs(shape: BatchShape): Readonly<Record<string, TensorType>>;
  /** The scalar loss, nats per counted token. */
  loss(outputs: Outputs, inputs: Readonly<Record<string, Value>>): Value;
}

const rowsOf = (x: Value): Value => {
  const [b, t, width] = x.shape as readonly number[];
  return reshape(x, [b! * t!, width!]);
};

const labelsType = ({ batch, context }: BatchShape): TensorType => ({
  dtype: "int32",
  shape: [batch * context],
});

/** Per-row losses [N, 1] and which rows count, for labels [N] with IGNORE where nothing is to be learnt. */
export const tokenLosses = (outputs: Outputs, labels: Value): { losses: Value; counts: Value } => {
  const { counts, safe } = countedLabels(labels);
  const n = labels.shape[0] as number;
  const column = reshape(safe, [n, 1]);
  const { head } = outputs;
  const losses =
    head === undefined || isPacked(head)
      ? crossEntropy(rowsOf(outputs.logits), column)
      : headLoss(rowsOf(outputs.hidden), head, column);
  return { losses, counts: reshape(counts, [n, 1]) };
};

/** Next-token cross-entropy. */
export const languageModelling: Objective = {
  name: "lm",
  inputs: (shape) => ({ labels: labelsType(shape) }),
  loss: (outputs, { labels }) => {
    const { losses, counts } = tokenLosses(outputs, labels!);
    return meanOver(losses, counts);
  },
};

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
    loss: (outputs, { labels, teacherLogits }) => {
      const { counts, safe } = countedLabels(labels!);
      const n = labels!.shape[0] as number;
      const column = reshape(safe, [n, 1]);
      const losses = distillLoss(rowsOf(outputs.logits), teacherLogits!, column, { alpha, temperature });
      return meanOver(losses, reshape(counts, [n, 1]));
    },
  };
};
