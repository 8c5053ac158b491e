/** How probable a model finds text: what is measured is the sum of nats that each text costs. */
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

const ratio = (
  nats: readonly number[],
  sizes: readonly TextSize[],
  figure: (nats: number, tokens: number, bytes: number) => number,
  interval?: IntervalOptions,
): Measured => {
  paired(nats, sizes);
  const rows = nats.map((n, i) => [n, sizes[i]!.tokens, sizes[i]!.bytes]);
  return bootstrapSums(rows, ([sum, tokens, bytes]) => figure(sum!, tokens!, bytes!), interval);
};

/** Mean loss of a token: the nats of all texts over the tokens of all, never a mean of means. */
export const loss: Metric<number, TextSize> = {
  name: "loss",
  unit: "nats/token",
  better: "less",
  measure: (nats, sizes, interval) => ratio(nats, sizes, (sum, tokens) => sum / tokens, interval),
};

/**
 * exp(loss): among how many equally likely tokens a model is left to guess. Tokenizers are not comparable.
 */
export const perplexity: Metric<number, TextSize> = {
  name: "perplexity",
  unit: "",
  better: "less",
  measure: (nats, sizes, interval) => ratio(nats, sizes, (sum, tokens) => Math.exp(sum / tokens), interval),
};

/** Bits to code one byte of text. */
export const bitsPerByte: Metric<number, TextSize> = {
  name: "bitsPerByte",
  unit: "bits/byte",
  better: "less",
  measure: (nats, sizes, interval) => ratio(nats, sizes, (sum, _, bytes) => bitsOf(sum, bytes), interval),
};
