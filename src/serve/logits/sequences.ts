/** Sequences of ids that are preferred or never completed. */
import { type Change, endsWith, type LogitsProcessor, NONE } from "./processor.ts";

type Biases = readonly (readonly [ids: readonly number[], bias: number])[];

/** Adds a sequence's bias to its last id where the others stand before it; the last of equals counts. */
const biased = (biases: Biases): Change | undefined => {
  if (biases.length === 0) return undefined;
  const byText = [...new Map(biases.map((entry) => [entry[0].join(), entry])).values()];
  return (scores, ids) => {
    for (const [sequence, bias] of byText) {
      const last = sequence.at(-1)!;
      if (last < scores.length && endsWith(ids, sequence, sequence.length - 1)) scores[last]! += bias;
    }
  };
};

/** Adds a number to the score of the token that completes a sequence. */
export const sequenceBias: LogitsProcessor = {
  change: ({ sequenceBias: biases = [] }) => biased(biases),
};

/** The end of a text is no bad word. */
export const badIds: LogitsProcessor = {
  change: ({ badIds: words = [] }, { eos }) =>
    biased(words.filter((ids) => ids.length > 1 || !eos.includes(ids[0]!)).map((ids) => [ids, NONE])),
};
