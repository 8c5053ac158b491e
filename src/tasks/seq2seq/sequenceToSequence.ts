/** The loss of saying each token of a target, given the source and the tokens before it. */

import { add } from "../../ops/elementwise.ts";
import { ConfigError } from "../../util/errors.ts";
import { labelTotals, type Objective, smoothingTotal } from "../objective.ts";

/** How long targets are, and how the loss is smoothed. */
export interface Seq2SeqObjectiveOptions {
  /** Tokens of a target, padding included, unless the batch's shape says its own. */
  readonly target: number;
  /** Share of the target that goes to all tokens alike: in training, not where held-out data is measured. */
  readonly labelSmoothing?: number;
}

/**
 * Cross-entropy of each target token, nats per counted token; with smoothing that of PyTorch's
 * CrossEntropyLoss and of transformers' LabelSmoother, which are the same here. Throws ConfigError for no
 * length and no share.
 */
export const sequenceToSequence = ({ target, labelSmoothing = 0 }: Seq2SeqObjectiveOptions): Objective => {
  if (!Number.isInteger(target) || target < 1) {
    throw new ConfigError(`must be a whole number of at least 1, not ${target}`, { field: "target" });
  }
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new ConfigError(`must be from 0 to below 1, not ${labelSmoothing}`, { field: "labelSmoothing" });
  }
  const plain: Objective = {
    name: "seq2seq",
    inputs: ({ batch, context, target: length = target }) => ({
      attentionMask: { dtype: "int32", shape: [batch, context] },
      decoderInputIds: { dtype: "int32", shape: [batch, length] },
      labels: { dtype: "int32", shape: [batch * length] },
    }),
    totals: (outputs, { labels }) => labelTotals(outputs, labels!),
  };
  if (labelSmoothing === 0) return plain;
  return {
    ...plain,
    totals: (outputs, { labels }) => {
      const { total, count } = labelTotals(outputs, labels!);
      return { total: add(total, smoothingTotal(outputs, labels!, labelSmoothing)), count };
    },
    heldOut: plain,
  };
};
