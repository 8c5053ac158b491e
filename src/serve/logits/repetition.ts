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

export const repetitionPenalty: LogitsProcessor = {
  change: ({ repetitionPenalty: penalty = 1 }) =>
    penalty === 1 ? undefined : (scores, ids) => penalize(scores, ids, penalty),
};

export const encoderRepetitionPenalty: LogitsProcessor = {
  change({ encoderRepetitionPenalty: penalty = 1 }, { source }) {
    if (penalty === 1) return undefined;
    const said = new Set(Array.from(source));
    return (scores) => penalize(scores, said, 1 / penalty);
  },
};
