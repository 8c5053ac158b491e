/** Penalties on what was there before, and rewards for what the source says. */
import type { LogitsProcessor, Scores } from "./processor.ts";

/** Divides scores of `ids` by `penalty` where positive and multiplies them where negative, once each. */
export const penalize = (scores: Scores, ids: Iterable<number>, penalty: number): void => {
  if (penalty === 1) return;
  for (const id of new Set(ids)) {
    if (id >= scores.length) continue;
    const score = scores[id]!;
    scores[id] = score > 0 ? score / penalty : score * penalty;
  }
};

/**
 * Makes tokens that the text has less likely: positive scores are divided, negative ones multiplied (Keskar
 * et al. 2019, https://arxiv.org/abs/1909.05858).
 */
export const repetitionPenalty: LogitsProcessor = {
  change: ({ repetitionPenalty: penalty = 1 }) =>
    penalty === 1 ? undefined : (scores, ids) => penalize(scores, ids, penalty),
};

/** Makes tokens that the source has likelier, by the inverse of that penalty. */
export const encoderRepetitionPenalty: LogitsProcessor = {
  change({ encoderRepetitionPenalty: penalty = 1 }, { source }) {
    if (penalty === 1) return undefined;
    const said = new Set(Array.from(source));
    return (scores) => penalize(scores, said, 1 / penalty);
  },
};
