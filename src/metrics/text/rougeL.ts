/**
 * ROUGE-L (Lin 2004, https://aclanthology.org/W04-1013) as rouge-score computes it without its stemmer
 * (https://github.com/google-research/google-research/tree/master/rouge), which is what it does by default.
 */
import { bootstrapMean } from "../bootstrap.ts";
import { type Metric, paired } from "../metric.ts";
import { type References, referenceList } from "./references.ts";

/** How ROUGE-L reads text. */
export interface RougeOptions {
  /**
   * Cuts a text into tokens. Default: runs of a-z and 0-9 of the lowercased text, as the reference does;
   * text in other scripts has no such tokens and scores 0, so give a function for those.
   */
  readonly tokens?: (text: string) => readonly string[];
}

const latin = (text: string): readonly string[] => text.toLowerCase().match(/[a-z0-9]+/g) ?? [];

/** Length of the longest common subsequence. */
const common = (a: readonly string[], b: readonly string[]): number => {
  let row = new Uint32Array(b.length + 1);
  for (const token of a) {
    const next = new Uint32Array(b.length + 1);
    for (let j = 1; j <= b.length; j++) {
      next[j] = token === b[j - 1] ? row[j - 1]! + 1 : Math.max(row[j]!, next[j - 1]!);
    }
    row = next;
  }
  return row[b.length]!;
};

/** 2 P R / (P + R), P and R the common subsequence over either length. */
const fScore = (prediction: readonly string[], reference: readonly string[]): number =>
  prediction.length + reference.length === 0
    ? 0
    : (2 * common(prediction, reference)) / (prediction.length + reference.length);

/**
 * The mean over examples of the F score of the longest common subsequence with the best reference, from 0
 * to 1.
 */
export const rougeL = ({ tokens = latin }: RougeOptions = {}): Metric<string, References> => ({
  name: "rougeL",
  unit: "",
  better: "more",
  measure: (predictions, references, interval) => {
    paired(predictions, references);
    const scores = predictions.map((text, i) => {
      const predicted = tokens(text);
      return Math.max(...referenceList(references[i]!).map((r) => fScore(predicted, tokens(r))));
    });
    return bootstrapMean(scores, interval);
  },
});
