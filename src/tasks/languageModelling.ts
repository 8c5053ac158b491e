/** The objective of causal language models. */
import { labelsType, labelTotals, type Objective } from "./objective.ts";

/** Next-token cross-entropy. */
export const languageModelling: Objective = {
  name: "lm",
  inputs: (shape) => ({ labels: labelsType(shape) }),
  totals: (outputs, { labels }) => labelTotals(outputs, labels!),
};
