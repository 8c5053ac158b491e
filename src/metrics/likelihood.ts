/** How probable a model finds text: what is measured is the sum of nats that each text costs. */
import { DataError } from "../util/errors.ts";
import { bootstrapSums } from "./bootstrap.ts";
import { type IntervalOptions, type Measured, type Metric, paired } from "./metric.ts";

/** What the nats of a text are divided by. */
export interface TextSize {
  /** Tokens that were predicted. */
  readonly tokens: number;
  /** Bytes of UTF-8 that these tokens stand for. */
  readonly bytes: number;
}

/** Bits to code one byte of text that costs `nats` in all: comparable across tokenizers. */
export const bitsOf = (nats: number, bytes: number): number => nats / Math.LN2 / bytes;

/** A figure of all nats over all tokens or bytes. Throws DataError where a text has none of them. */
const perUnit = (
  unit: keyof TextSize,
  nats: readonly number[],
  sizes: readonly TextSize[],
  figure: (nats: number, units: number) => number,
  interval?: IntervalOptions,
): Measured => {
  paired(nats, sizes);
  const rows = nats.map((n, i) => {
    const units = sizes[i]![unit];
    if (!(units > 0)) throw new DataError(`text ${i + 1} has ${units} ${unit}: nothing to measure`);
    return [n, units];
  });
  return bootstrapSums(rows, ([sum, units]) => figure(sum!, units!), interval);
};

/** Mean loss of a token: the nats of all texts over the tokens of all, never a mean of means. */
export const loss: Metric<number, TextSize> = {
  name: "loss",
  unit: "nats/token",
  better: "less",
  measure: (nats, sizes, interval) => perUnit("tokens", nats, sizes, (sum, n) => sum / n, interval),
};

/**
 * exp(loss): among how many equally likely tokens a model is left to guess. Not comparable across tokenizers.
 */
export const perplexity: Metric<number, TextSize> = {
  name: "perplexity",
  unit: "",
  better: "less",
  measure: (nats, sizes, interval) => perUnit("tokens", nats, sizes, (sum, n) => Math.exp(sum / n), interval),
};

/** Bits to code one byte of text. */
export const bitsPerByte: Metric<number, TextSize> = {
  name: "bitsPerByte",
  unit: "bits/byte",
  better: "less",
  measure: (nats, sizes, interval) => perUnit("bytes", nats, sizes, bitsOf, interval),
};
