/**
 * chrF (Popović 2015, https://aclanthology.org/W15-3049) and chrF++ (2017,
 * https://aclanthology.org/W17-4770) as sacrebleu 2.6 computes them: F2 of the mean precision and mean
 * recall of n-grams of characters, white space left out, and of words.
 */
import { bootstrapSums } from "../bootstrap.ts";
import { type Metric, paired } from "../metric.ts";
import { countReferences, type References, referenceList } from "./references.ts";
import { grams, matches, total, words } from "./words.ts";

const CHARACTER_ORDERS = [1, 2, 3, 4, 5, 6];
const BETA_SQUARED = 4;

/** Which n-grams chrF counts. */
export interface ChrfOptions {
  /** Longest run of words counted: 0 is chrF, 2 is chrF++. Default 0. */
  readonly wordOrder?: 0 | 1 | 2;
  /** Whether case is ignored. Default false. */
  readonly lowercase?: boolean;
}

const LAST_MARK = /[!-/:-@[-`{-~]$/;
const FIRST_MARK = /^[!-/:-@[-`{-~]/;

/**
 * One mark of punctuation taken off a word, at its end or else at its start, as the authors' program does.
 */
const splitMark = (word: string): string[] => {
  if (word.length === 1) return [word];
  if (LAST_MARK.test(word)) return [word.slice(0, -1), word.slice(-1)];
  return FIRST_MARK.test(word) ? [word[0]!, word.slice(1)] : [word];
};

type Grams = readonly ReadonlyMap<string, number>[];

/** The n-grams of a text, an order each. */
const gramsOf = (text: string, { wordOrder = 0, lowercase = false }: ChrfOptions): Grams => {
  const parts = words(lowercase ? text.toLowerCase() : text);
  const characters = Array.from(parts.join(""));
  const pieces = parts.flatMap(splitMark);
  return [
    ...CHARACTER_ORDERS.map((order) => grams(characters, order, "")),
    ...[1, 2].slice(0, wordOrder).map((order) => grams(pieces, order, " ")),
  ];
};

/** [predicted, in the reference, matched] for each order. */
const counted = (predicted: Grams, right: Grams): number[] =>
  predicted.flatMap((counts, i) => {
    const other = right[i]!;
    return [other.size > 0 ? total(counts) : 0, total(other), matches(counts, other)];
  });

/** 100 (1 + 4) P R / (4 P + R), P and R the means over the orders that both sides have; 0 without a match. */
const chrfOf = (sums: readonly number[]): number => {
  let [precision, recall, orders] = [0, 0, 0];
  for (let i = 0; i < sums.length; i += 3) {
    const [predicted, right, matched] = sums.slice(i, i + 3) as [number, number, number];
    if (predicted === 0 || right === 0) continue;
    precision += matched / predicted;
    recall += matched / right;
    orders++;
  }
  if (precision + recall === 0) return 0;
  const [p, r] = [precision / orders, recall / orders];
  return (100 * ((1 + BETA_SQUARED) * p * r)) / (BETA_SQUARED * p + r);
};

/** The counts against the reference that gives the best score, the first of equals. */
const chrfCounts = (prediction: string, references: References, options: ChrfOptions): number[] => {
  const predicted = gramsOf(prediction, options);
  const rows = referenceList(references).map((r) => counted(predicted, gramsOf(r, options)));
  return rows.reduce((best, row) => (chrfOf(row) > chrfOf(best) ? row : best));
};

/** sacrebleu's signature of what was computed, to stand beside the figure. */
export const chrfSignature = (references: readonly References[], options: ChrfOptions = {}): string => {
  const { wordOrder = 0, lowercase = false } = options;
  const text = `${countReferences(references)}|case:${lowercase ? "lc" : "mixed"}`;
  return `${text}|eff:yes|nc:6|nw:${wordOrder}|space:no|version:2.6.0`;
};

/** chrF2 of a corpus, from 0 to 100; with words chrF2++. */
export const chrf = (options: ChrfOptions = {}): Metric<string, References> => ({
  name: `chrf${"+".repeat(options.wordOrder ?? 0)}`,
  unit: "points",
  better: "more",
  measure: (predictions, references, interval) => {
    paired(predictions, references);
    const rows = predictions.map((text, i) => chrfCounts(text, references[i]!, options));
    return bootstrapSums(rows, chrfOf, interval);
  },
});
