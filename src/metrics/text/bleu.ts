/**
 * BLEU (Papineni et al. 2002, https://aclanthology.org/P02-1040) as sacrebleu 2.6 computes it (Post 2018,
 * https://github.com/mjpost/sacrebleu): detokenized text, counts over the corpus, exponential smoothing.
 */
import { bootstrapSums } from "../bootstrap.ts";
import { type Metric, paired } from "../metric.ts";
import { type BleuTokenizer, bleuTokens } from "./bleuTokens.ts";
import { countReferences, type References, referenceList } from "./references.ts";
import { grams, matches, total, trimEnd } from "./words.ts";

const ORDERS = [1, 2, 3, 4];

/** How BLEU reads text. */
export interface BleuOptions {
  /** Default 13a. */
  readonly tokenizer?: BleuTokenizer;
  /** Whether case is ignored. Default false. */
  readonly lowercase?: boolean;
}

/** BLEU with what it is made of. */
export interface BleuScore {
  /** From 0 to 100. */
  readonly score: number;
  /** Share of the predicted n-grams of order 1 to 4 that a reference has, smoothed, from 0 to 100. */
  readonly precisions: readonly number[];
  readonly brevityPenalty: number;
  /** Tokens predicted. */
  readonly predictedLength: number;
  /** Tokens of the reference of the nearest length, summed over examples. */
  readonly referenceLength: number;
}

const nearest = (length: number, references: readonly number[]): number =>
  references.reduce((best, other) => {
    const closer = Math.abs(length - other) - Math.abs(length - best);
    return closer < 0 || (closer === 0 && other < best) ? other : best;
  });

/** The counts of an n-gram in the reference that has it most often. */
const mostOf = (references: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> => {
  const [first, ...others] = references;
  if (others.length === 0) return first!;
  const most = new Map(first);
  for (const counts of others)
    for (const [gram, n] of counts) most.set(gram, Math.max(n, most.get(gram) ?? 0));
  return most;
};

/** [predicted length, reference length, four counts of matches, four counts of predicted n-grams]. */
const bleuCounts = (prediction: string, references: References, options: BleuOptions): number[] => {
  const { tokenizer = "13a", lowercase = false } = options;
  const cut = (text: string) => bleuTokens(trimEnd(lowercase ? text.toLowerCase() : text), tokenizer);
  const tokens = cut(prediction);
  const right = referenceList(references).map(cut);
  const perOrder = ORDERS.map((order) => {
    const predicted = grams(tokens, order, " ");
    return [matches(predicted, mostOf(right.map((r) => grams(r, order, " ")))), total(predicted)] as const;
  });
  const referenceLength = nearest(
    tokens.length,
    right.map((r) => r.length),
  );
  return [tokens.length, referenceLength, ...perOrder.map(([hit]) => hit), ...perOrder.map(([, all]) => all)];
};

/**
 * 100 BP exp(mean over n of log p_n), BP = min(1, exp(1 - r / c)); the k-th order without a match has the
 * precision 1 / (2^k count). 0 where no word matches, or where no prediction has four tokens.
 */
const bleuOf = (sums: readonly number[]): BleuScore => {
  const [predictedLength, referenceLength] = sums as [number, number];
  const brevityPenalty =
    predictedLength >= referenceLength
      ? 1
      : predictedLength === 0
        ? 0
        : Math.exp(1 - referenceLength / predictedLength);
  const hits = sums.slice(2, 6);
  const all = sums.slice(6);
  const any = hits.some((n) => n > 0);
  let smooth = 1;
  const precisions = ORDERS.map((_, i) => {
    if (!any || all[i] === 0) return 0;
    if (hits[i] === 0) smooth *= 2;
    return hits[i] === 0 ? 100 / (smooth * all[i]!) : (100 * hits[i]!) / all[i]!;
  });
  const logs = precisions.reduce((sum, p) => sum + Math.log(p), 0);
  const score = brevityPenalty * Math.exp(logs / ORDERS.length);
  return { score, precisions, brevityPenalty, predictedLength, referenceLength };
};

/** BLEU of a corpus with its parts. Throws DataError where there are no examples, or one has no reference. */
export const bleuScore = (
  predictions: readonly string[],
  references: readonly References[],
  options: BleuOptions = {},
): BleuScore => {
  paired(predictions, references);
  const rows = predictions.map((text, i) => bleuCounts(text, references[i]!, options));
  return bleuOf(rows[0]!.map((_, j) => rows.reduce((sum, row) => sum + row[j]!, 0)));
};

/** sacrebleu's signature of what was computed, to stand beside the figure. */
export const bleuSignature = (references: readonly References[], options: BleuOptions = {}): string => {
  const { tokenizer = "13a", lowercase = false } = options;
  const text = `${countReferences(references)}|case:${lowercase ? "lc" : "mixed"}`;
  return `${text}|eff:no|tok:${tokenizer}|smooth:exp|version:2.6.0`;
};

/** BLEU of a corpus, from 0 to 100. */
export const bleu = (options: BleuOptions = {}): Metric<string, References> => ({
  name: "bleu",
  unit: "points",
  better: "more",
  measure: (predictions, references, interval) => {
    paired(predictions, references);
    const rows = predictions.map((text, i) => bleuCounts(text, references[i]!, options));
    return bootstrapSums(rows, (sums) => bleuOf(sums).score, interval);
  },
});
