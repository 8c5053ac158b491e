/** Pearson's product-moment correlation (https://en.wikipedia.org/wiki/Pearson_correlation_coefficient). */
import type { Metric } from "../metric.ts";
import { correlation, weightedCorrelation } from "./correlation.ts";

/**
 * cov(x, y) / (sd x sd y), from -1 to 1: how nearly predictions are a straight line of the references. 0
 * where all predictions are the same.
 */
export const pearson: Metric<number, number> = {
  name: "pearson",
  unit: "",
  better: "more",
  measure: (predictions, references, interval) =>
    correlation(
      predictions,
      references,
      (weights) => weightedCorrelation(predictions, references, weights),
      interval,
    ),
};
