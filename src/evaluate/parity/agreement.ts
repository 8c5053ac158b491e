/** How far the numbers of one place are from those of another. */

import type { TypedArray } from "../../ir/tensor.ts";
import { argmax } from "../../serve/decode/sample.ts";
import { softmax } from "../../serve/logits/processor.ts";
import { cosineSum } from "../../util/cosine.ts";
import { fromHalves } from "../../util/float16.ts";

/** How far two results are apart. */
export interface Parity {
  /** Largest absolute difference of an output: a logit, or a feature where there are no logits. */
  readonly maxLogitDiff: number;
  /** Largest magnitude of what the reference computed: what the largest difference is to be seen beside. */
  readonly scale: number;
  /** Cosine of all outputs together. */
  readonly cosine: number;
  /** Cosine of a text's sentence vector and the reference's, mean over the texts; of models that pool. */
  readonly sentenceCosine?: number;
  /** Share of `rows` whose likeliest token or label is the same; absent where no output is of logits. */
  readonly topTokenAgreement?: number;
  /** Rows of logits that were compared: positions, or texts that are classified. */
  readonly rows: number;
  /** Share of prompts whose first generated token is the same; only where there is generation. */
  readonly firstTokenAgreement?: number;
  /** Share of prompts whose greedy continuation of `tokens` tokens is the same throughout. */
  readonly greedyAgreement?: number;
  /** Prompts or texts that were read. */
  readonly prompts: number;
  /** Tokens of each continuation; 0 where there is no generation. */
  readonly tokens: number;
}

/** Which rows are compared, and whether they are scores. */
export interface RowsOptions {
  /** Which rows count; all unless told. */
  readonly counts?: (row: number) => boolean;
  /** Whether a row's largest number is its likeliest token or label, as of logits; true unless told. */
  readonly logits?: boolean;
  /**
   * Whether a row is of a text's labels, whose shares are what a user sees: the cosine is of those. Logits
   * of a text that is neither are near 0, where a small difference turns their direction.
   */
  readonly labels?: boolean;
}

/** Collects comparisons. */
export interface Tally {
  /** Compares rows of `width` numbers. */
  rows(reference: Float32Array, found: Float32Array, width: number, options?: RowsOptions): void;
  /** Compares sentence vectors, rows of `width` numbers. */
  vectors(reference: Float32Array, found: Float32Array, width: number): void;
  /** Compares a continuation, token by token. */
  continuation(reference: readonly number[], found: readonly number[]): void;
  result(prompts: number): Parity;
}

/** Numbers as float32: float16 is read from its bits. */
export const asFloat32 = (data: TypedArray): Float32Array => {
  if (data instanceof Float32Array) return data;
  return data instanceof Uint16Array ? fromHalves(data) : Float32Array.from(data as Int32Array);
};

/** The cosine and the largest difference of each two vectors of `width` numbers. */
function* vectorPairs(reference: Float32Array, found: Float32Array, width: number) {
  for (let at = 0; at < reference.length; at += width) {
    const [x, y] = [reference.subarray(at, at + width), found.subarray(at, at + width)];
    const both = cosineSum();
    both.add(x, y);
    // What is missing in `found` makes NaN, which passes nowhere.
    yield { cosine: both.cosine(), diff: x.reduce((most, v, i) => Math.max(most, Math.abs(v - y[i]!)), 0) };
  }
}

/** An empty tally. */
export const tally = (): Tally => {
  const sums = { diff: 0, top: 0, same: 0, rows: 0 };
  const both = cosineSum();
  const texts = { first: 0, whole: 0, count: 0, tokens: 0 };
  const cosines: number[] = [];
  return {
    rows(reference, found, width, { counts = () => true, logits = true, labels = false } = {}) {
      if (reference.length !== found.length) sums.diff = Number.POSITIVE_INFINITY;
      for (let row = 0; row * width < reference.length; row++) {
        if (!counts(row)) continue;
        const [x, y] = [reference, found].map((all) => all.subarray(row * width, (row + 1) * width));
        for (let i = 0; i < width; i++) {
          sums.diff = Math.max(sums.diff, Math.abs(x![i]! - y![i]!)); // Math.max keeps NaN
          sums.top = Math.max(sums.top, Math.abs(x![i]!));
        }
        if (labels) both.add(softmax(x!), softmax(y!));
        else both.add(x!, y!);
        if (!logits) continue;
        sums.same += +(argmax(x!) === argmax(y!));
        sums.rows++;
      }
    },
    vectors(reference, found, width) {
      for (const { cosine, diff } of vectorPairs(reference, found, width)) {
        cosines.push(cosine);
        sums.diff = Math.max(sums.diff, diff);
      }
    },
    continuation(reference, found) {
      texts.first += +(reference[0] === found[0]);
      texts.whole += +reference.every((id, i) => id === found[i]);
      texts.count++;
      texts.tokens = Math.max(texts.tokens, reference.length);
    },
    result: (prompts) => ({
      maxLogitDiff: sums.diff,
      scale: sums.top,
      cosine: both.cosine(),
      ...(cosines.length === 0 ? {} : { sentenceCosine: cosines.reduce((a, b) => a + b) / cosines.length }),
      ...(sums.rows === 0 ? {} : { topTokenAgreement: sums.same / sums.rows }),
      rows: sums.rows,
      ...(texts.count === 0
        ? {}
        : { firstTokenAgreement: texts.first / texts.count, greedyAgreement: texts.whole / texts.count }),
      prompts,
      tokens: texts.tokens,
    }),
  };
};
