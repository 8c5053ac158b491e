/** Masked language modelling (Devlin et al. 2019, https://arxiv.org/abs/1810.04805): hidden tokens are filled in. */
import { type EncoderInputs, encoderInputs } from "./encoderInputs.ts";
import { labelsType, labelTotals, type Objective } from "./objective.ts";

/**
 * Cross-entropy of the tokens that were masked: labels int32 [B * T] say them, -100 elsewhere; `maskTokens`
 * makes them.
 */
export const maskedLanguageModelling = (options: EncoderInputs = {}): Objective => ({
  name: "mlm",
  inputs: (shape) => ({ ...encoderInputs(shape, options), labels: labelsType(shape) }),
  totals: (outputs, { labels }) => labelTotals(outputs, labels!),
});
