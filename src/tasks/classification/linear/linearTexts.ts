/**
 * A linear model of labelled texts, by words and pieces of words. Where texts are few it knows more than a
 * network that begins with random weights, and is learnt in seconds.
 */
import { type Entry, featuresOf, rowsOf } from "./features.ts";
import { logistic } from "./logistic.ts";

/** Says the log-odds of each label against the others: one number where two labels exclude each other. */
export interface LinearTexts {
  score(text: string): readonly number[];
  /** How much a part of a text of usual length adds to its log-odds. */
  share(part: string): readonly number[];
}

/** Labels that are told apart by a regression each; of two one is enough. */
const regressions = (classes: number): readonly number[] =>
  classes === 2 ? [1] : Array.from({ length: classes }, (_, label) => label);

/** Learns texts with one of `classes` labels each. */
export const linearTexts = (
  texts: readonly string[],
  labels: readonly number[],
  classes: number,
): LinearTexts => {
  const all = regressions(classes).map((label) => {
    const own = labels.map((each) => Number(each === label));
    return featuresOf(texts, own).map((features) => ({
      features,
      ...logistic(rowsOf(features, texts), own),
    }));
  });
  const added = (entries: readonly Entry[], weights: Float64Array): number =>
    entries.reduce((sum, [column, value]) => sum + value * weights[column]!, 0);
  const total = <T>(parts: readonly T[], of: (part: T) => number): number =>
    parts.reduce((sum, part) => sum + of(part), 0);
  return {
    score: (text) =>
      all.map((parts) =>
        total(parts, ({ features, weights, bias }) => bias + added(features.of(text), weights)),
      ),
    share: (part) =>
      all.map((parts) => total(parts, ({ features, weights }) => added(features.within(part), weights))),
  };
};
