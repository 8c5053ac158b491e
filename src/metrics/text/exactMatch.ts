/**
 * Whether an answer is the right one, as SQuAD's script says (https://rajpurkar.github.io/SQuAD-explorer/).
 */
import { type Metric, paired } from "../metric.ts";
import { proportion } from "../proportion.ts";
import { type References, referenceList } from "./references.ts";
import { words } from "./words.ts";

const MARKS = /[!-/:-@[-`{-~]/g;
// Python's \b, which knows the letters of all scripts.
const ARTICLES = /(?<![\p{L}\p{N}_])(?:an?|the)(?![\p{L}\p{N}_])/gu;

/** Lowercased, without ASCII punctuation and English articles, one space between words. */
export const normalizeAnswer = (text: string): string =>
  words(text.toLowerCase().replace(MARKS, "").replace(ARTICLES, " ")).join(" ");

/** The share of answers that equal a reference once both are normalized. The interval is Wilson's. */
export const exactMatch: Metric<string, References> = {
  name: "exactMatch",
  unit: "",
  better: "more",
  measure: (predictions, references) => {
    const n = paired(predictions, references);
    const hits = predictions.filter((text, i) => {
      const answer = normalizeAnswer(text);
      return referenceList(references[i]!).some((r) => normalizeAnswer(r) === answer);
    });
    return proportion(hits.length, n);
  },
};
