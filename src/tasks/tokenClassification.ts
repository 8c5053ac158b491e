/** Labelling tokens: names, parts of speech. */
import { type EncoderInputs, encoderInputs } from "./encoderInputs.ts";
import { labelsType, labelTotals, type Objective } from "./objective.ts";

/** Cross-entropy of one label a token: labels int32 [B * T], -100 where a token has none. */
export const tokenClassification = (options: EncoderInputs = {}): Objective => ({
  name: "tag",
  inputs: (shape) => ({ ...encoderInputs(shape, options), labels: labelsType(shape) }),
  totals: (outputs, { labels }) => labelTotals(outputs, labels!),
});
