/** What a figure of quality is: a name, a unit, a direction, and arithmetic on predictions and references. */
import { ConfigError, DataError } from "../util/errors.ts";

/** A figure with the interval that holds it in 95 of 100 samples of examples like these. */
export interface Measured {
  readonly value: number;
  /** Lower end of the 95 % interval; -Infinity where one example was measured. */
  readonly low: number;
  /** Upper end of the 95 % interval; Infinity where one example was measured. */
  readonly high: number;
  /** Examples measured. */
  readonly n: number;
}

/** Figures by name: "sizeBytes", "accuracy", "web-wasm/p50Ms". */
export type Figures = Readonly<Record<string, Measured>>;

/** A figure that is known for certain. */
export const exactly = (value: number): Measured => ({ value, low: value, high: value, n: 1 });

/** A figure of one observation, which says nothing of its spread. */
export const once = (value: number): Measured => ({
  ...{ value, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY },
  n: 1,
});

/** A figure by a monotone function of another one: 1000 / ms, for tokens a second. */
export const mapped = ({ value, low, high, n }: Measured, f: (x: number) => number): Measured => {
  const [a, b] = [f(low), f(high)];
  return { value: f(value), low: Math.min(a, b), high: Math.max(a, b), n };
};

/** How an interval is found. */
export interface IntervalOptions {
  /** Samples drawn. Default 1,000. */
  readonly resamples?: number;
  /** Seed of the draws: one seed, one interval. Default 0. */
  readonly seed?: number;
}

/**
 * One figure of quality, as a pure function of what was predicted and what is right: `P` is the prediction
 * for one example, `R` its reference.
 */
export interface Metric<P, R> {
  /** Name in tables and JSON, with its options: "bleu", "f1/macro", "ndcg@10". */
  readonly name: string;
  /** Unit of the value; empty for shares and correlations. */
  readonly unit: string;
  /** Which of two values is the better one. */
  readonly better: "less" | "more";
  /**
   * The figure over all examples, with its interval. Throws DataError where there are no examples, or not as
   * many predictions as references.
   */
  measure(predictions: readonly P[], references: readonly R[], options?: IntervalOptions): Measured;
}

/** Number of examples. Throws DataError where there are none, or one side has more than the other. */
export const paired = (predictions: readonly unknown[], references: readonly unknown[]): number => {
  if (predictions.length !== references.length) {
    throw new DataError(
      `${predictions.length} predictions for ${references.length} references: each needs the other`,
    );
  }
  if (predictions.length === 0)
    throw new DataError("no examples to measure on", { hint: "give one or more" });
  return predictions.length;
};

/** Throws ConfigError where an option is not a whole number of at least 1. */
export const requireCount = (field: string, value: number): void => {
  if (Number.isInteger(value) && value >= 1) return;
  throw new ConfigError(`${value} is not a whole number of at least 1`, { field });
};
