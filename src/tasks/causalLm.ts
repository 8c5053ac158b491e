/** Causal language modelling: each token is to be said from those before it. */
import { labelsType, labelTotals, type Objective } from "./objective.ts";

/** Next-token cross-entropy. */
export const languageModelling: Objective = {
  name: "lm",
  inputs: (shape) => ({ labels: labelsType(shape) }),
  totals: (outputs, { labels }) => labelTotals(outputs, labels!),
};
