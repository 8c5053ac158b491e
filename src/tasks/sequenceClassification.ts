/** Labelling whole texts: one label, several, or a number. */
import { constant, type Value } from "../ir/op.ts";
import { tensorOf } from "../ir/tensor.ts";
import { countedLabels, crossEntropy, type Totals } from "../nn/loss.ts";
import { abs, add, exp, log, mul, neg, sub } from "../ops/elementwise.ts";
import { logSoftmax } from "../ops/reduce.ts";
import { gather } from "../ops/rows.ts";
import { reshape, sum } from "../ops/structure.ts";
import { ConfigError } from "../util/errors.ts";
import { type EncoderInputs, encoderInputs, int32 } from "./encoderInputs.ts";
import type { BatchShape, Objective } from "./objective.ts";

// B batch, K labels

/** How texts are labelled, and what counts how much. */
export interface SequenceClassificationOptions extends EncoderInputs {
  /** Weight of each label by id; 1 unless told. Of several labels that of the examples that have it. */
  readonly classWeights?: readonly number[];
  /** Share of the target that goes to all classes alike (Szegedy et al. 2015, 1512.00567). */
  readonly labelSmoothing?: number;
}

const float32 = (...shape: number[]) => ({ dtype: "float32", shape }) as const;

/** A row of constants. */
const row = (values: readonly number[]): Value => constant(tensorOf("float32", [values.length], [...values]));

/**
 * Cross-entropy of one label a text: labels int32 [B], -100 where a text has none. With weights and smoothing
 * the sum that PyTorch's CrossEntropyLoss divides by the weights of the labels. Its totals throw ConfigError
 * for a model of a single label, which would be regression.
 */
export const sequenceClassification = (options: SequenceClassificationOptions = {}): Objective => ({
  name: "classify",
  inputs: (shape) => ({ ...encoderInputs(shape, options), labels: int32(shape.batch) }),
  totals: ({ logits }, { labels }) => {
    if (logits.shape[1] === 1) {
      throw new ConfigError("is 1: nothing is to be chosen", {
        field: "num_labels",
        hint: 'give two labels or more in id2label, or make problem_type "regression"',
      });
    }
    return labelLosses(logits, labels!, options);
  },
});

/** Cross-entropy of labels int32 [N] from logits [N, K], weighted and smoothed. */
export const labelLosses = (
  logits: Value,
  labels: Value,
  { classWeights, labelSmoothing = 0 }: SequenceClassificationOptions = {},
): Totals => {
  const { counts, safe } = countedLabels(labels);
  const [n, classes] = logits.shape as readonly [number, number];
  const weights = classWeights === undefined ? counts : mul(counts, gather(row(classWeights), safe));
  const losses = reshape(crossEntropy(logits, reshape(safe, [n, 1])), [n]);
  const hard = sum(mul(losses, weights));
  if (labelSmoothing === 0) return { total: hard, count: sum(weights) };
  const all = mul(neg(logSoftmax(logits)), classWeights === undefined ? 1 : row(classWeights));
  const smooth = mul(sum(mul(sum(all, [1]), counts)), labelSmoothing / classes);
  return { total: add(mul(hard, 1 - labelSmoothing), smooth), count: sum(weights) };
};

const counted = ({ batch }: BatchShape) => ({ counted: float32(batch) });

/**
 * Binary cross-entropy of logits [B, K] against y in [0, 1], elementwise: with weights of what is right that
 * of PyTorch's BCEWithLogitsLoss, (1 - y) x + (1 + (w - 1) y) (log(1 + exp(-|x|)) + (|x| - x) / 2). The last
 * part is max(-x, 0), written so that the slope at 0 is the right one.
 */
export const binaryLosses = (logits: Value, targets: Value, positive?: readonly number[]): Value => {
  const size = abs(logits);
  const soft = add(log(add(1, exp(neg(size)))), mul(sub(size, logits), 0.5));
  const weight = positive === undefined ? 1 : add(1, mul(sub(row(positive), 1), targets));
  return add(mul(sub(1, targets), logits), mul(soft, weight));
};

/** Losses [B, K] added up over the texts that count, and how many numbers that are. */
export const countedTotals = (losses: Value, counts: Value): Totals => {
  const [n, width] = losses.shape as readonly [number, number];
  return { total: sum(mul(losses, reshape(counts, [n, 1]))), count: mul(sum(counts), width) };
};

/**
 * Binary cross-entropy of each of several labels: labels float32 [B, K] of 0 and 1, counted float32 [B] 0
 * where a row is no text.
 */
export const multiLabel = (labels: number, options: SequenceClassificationOptions = {}): Objective => ({
  name: "classify-several",
  inputs: (shape) => ({
    ...encoderInputs(shape, options),
    labels: float32(shape.batch, labels),
    ...counted(shape),
  }),
  totals: ({ logits }, { labels: right, counted: counts }) =>
    countedTotals(binaryLosses(logits, right!, options.classWeights), counts!),
});

/** Squared error of one number a text: labels float32 [B, 1], counted float32 [B] 0 where there is none. */
export const regression = (options: EncoderInputs = {}): Objective => ({
  name: "regress",
  inputs: (shape) => ({
    ...encoderInputs(shape, options),
    labels: float32(shape.batch, 1),
    ...counted(shape),
  }),
  totals: ({ logits }, { labels, counted: counts }) => {
    const off = sub(logits, labels!);
    return countedTotals(mul(off, off), counts!);
  },
});
