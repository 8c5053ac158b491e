/** The share of examples whose label, or all of whose labels, were predicted. */
import { type Metric, paired } from "../metric.ts";
import { proportion } from "../proportion.ts";
import { type Labels, outcomeOf } from "./counts.ts";

/** hits / examples; of several labels all must be right and none too many. The interval is Wilson's. */
export const accuracy: Metric<Labels, Labels> = {
  name: "accuracy",
  unit: "",
  better: "more",
  measure: (predictions, references) => {
    const n = paired(predictions, references);
    const hits = predictions.filter((p, i) => {
      const { predicted, actual, matched } = outcomeOf(p, references[i]!);
      return matched.length === predicted.length && matched.length === actual.length;
    });
    return proportion(hits.length, n);
  },
};
