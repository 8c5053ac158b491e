/** Labelling tokens: names, parts of speech. */
import { encoderInputs } from "./encoderInputs.ts";
import { labelsType, type Objective, rowsOf } from "./objective.ts";
import { labelLosses, type SequenceClassificationOptions } from "./sequenceClassification.ts";

/**
 * Cross-entropy of one label a token: labels int32 [B * T], -100 where a token has none; weighted and
 * smoothed as that of whole texts.
 */
export const tokenClassification = (options: SequenceClassificationOptions = {}): Objective => ({
  name: "tag",
  inputs: (shape) => ({ ...encoderInputs(shape, options), labels: labelsType(shape) }),
  totals: ({ logits }, { labels }) => labelLosses(rowsOf(logits), labels!, options),
});
