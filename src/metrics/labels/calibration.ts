/**
 * Whether a model is right as often as it says: the expected calibration error (Naeini et al. 2015; Guo et
 * al. 2017, https://arxiv.org/abs/1706.04599) and the curve that it sums up.
 */
import { DataError } from "../../util/errors.ts";
import { bootstrap } from "../bootstrap.ts";
import { type Metric, paired, requireCount } from "../metric.ts";
import type { Label } from "./counts.ts";

/** A prediction, and the probability that the model gives it. */
export interface Guess {
  readonly label: Label;
  /** From 0 to 1. */
  readonly confidence: number;
}

/** Options of the curve. */
export interface CalibrationOptions {
  /** Equal parts that the confidences from 0 to 1 are cut into. Default 15. */
  readonly bins?: number;
}

/** The guesses whose confidence is above `low` and at most `high`; the first bin has 0 too. */
export interface ReliabilityBin {
  readonly low: number;
  readonly high: number;
  readonly count: number;
  /** Mean confidence; 0 where there is no guess. */
  readonly confidence: number;
  /** Share of right guesses; 0 where there is no guess. */
  readonly accuracy: number;
}

interface Binned {
  readonly bin: number;
  readonly confidence: number;
  readonly hit: number;
}

const binned = (predictions: readonly Guess[], references: readonly Label[], bins: number): Binned[] => {
  paired(predictions, references);
  requireCount("bins", bins);
  return predictions.map(({ label, confidence }, i) => {
    if (!(confidence >= 0 && confidence <= 1)) {
      throw new DataError(`prediction ${i + 1} has the confidence ${confidence}: it must be from 0 to 1`);
    }
    let bin = Math.min(bins - 1, Math.floor(confidence * bins));
    // Rounding of the product must not move a confidence over an edge, and an edge belongs to the lower bin.
    while (bin > 0 && confidence <= bin / bins) bin--;
    while (bin < bins - 1 && confidence > (bin + 1) / bins) bin++;
    return { bin, confidence, hit: Number(label === references[i]) };
  });
};

/** [count, summed confidence, hits] of each bin. */
const binSums = (rows: readonly Binned[], bins: number, weights: Uint32Array): Float64Array => {
  const sums = new Float64Array(3 * bins);
  for (const [i, { bin, confidence, hit }] of rows.entries()) {
    const weight = weights[i]!;
    sums[3 * bin]! += weight;
    sums[3 * bin + 1]! += weight * confidence;
    sums[3 * bin + 2]! += weight * hit;
  }
  return sums;
};

/** The reliability curve: confidence against accuracy, bin by bin. */
export const reliability = (
  predictions: readonly Guess[],
  references: readonly Label[],
  { bins = 15 }: CalibrationOptions = {},
): readonly ReliabilityBin[] => {
  const rows = binned(predictions, references, bins);
  const sums = binSums(rows, bins, new Uint32Array(rows.length).fill(1));
  return Array.from({ length: bins }, (_, i) => {
    const [count = 0, confidence = 0, hits = 0] = sums.subarray(3 * i);
    const mean = (sum: number) => (count === 0 ? 0 : sum / count);
    const [low, high] = [i / bins, (i + 1) / bins];
    return { low, high, count, confidence: mean(confidence), accuracy: mean(hits) };
  });
};

/**
 * sum over bins of count / n |accuracy - confidence|: 0 where a model is right as often as it says. Samples
 * drawn again have a larger error than the data, so the interval reaches up more than down.
 */
export const calibrationError = ({ bins = 15 }: CalibrationOptions = {}): Metric<Guess, Label> => ({
  name: "calibrationError",
  unit: "",
  better: "less",
  measure: (predictions, references, interval) => {
    const rows = binned(predictions, references, bins);
    const error = (weights: Uint32Array): number => {
      const sums = binSums(rows, bins, weights);
      let [count, sum] = [0, 0];
      for (let i = 0; i < sums.length; i += 3) {
        count += sums[i]!;
        sum += Math.abs(sums[i + 2]! - sums[i + 1]!);
      }
      return sum / count;
    };
    return bootstrap(rows.length, error, interval);
  },
});
