/** Labelling whole texts. */
import { countedLabels, crossEntropy, totalsOver } from "../nn/loss.ts";
import { reshape } from "../ops/structure.ts";
import { ConfigError } from "../util/errors.ts";
import { type EncoderInputs, encoderInputs, int32 } from "./encoderInputs.ts";
import type { Objective } from "./objective.ts";

/**
 * Cross-entropy of one label a text: labels int32 [B], -100 where a text has none. Its totals throw
 * ConfigError for a model of a single label, which would be regression.
 */
export const sequenceClassification = (options: EncoderInputs = {}): Objective => ({
  name: "classify",
  inputs: (shape) => ({ ...encoderInputs(shape, options), labels: int32(shape.batch) }),
  totals: ({ logits }, { labels }) => {
    if (logits.shape[1] === 1) {
      throw new ConfigError("is 1: nothing is to be chosen, and regression is not supported", {
        field: "num_labels",
        hint: "give two labels or more in id2label",
      });
    }
    const { counts, safe } = countedLabels(labels!);
    const n = labels!.shape[0] as number;
    return totalsOver(crossEntropy(logits, reshape(safe, [n, 1])), reshape(counts, [n, 1]));
  },
});
