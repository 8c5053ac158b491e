/** Fewest tokens before the end, and an end that grows likelier. */
import { forbid, type LogitsProcessor } from "./processor.ts";

/** What `minTokens` says counts instead of `minLength`. */
export const minLength: LogitsProcessor = {
  change({ minLength: length = 0, minTokens }, { eos, promptTokens }) {
    const least = minTokens === undefined ? length : promptTokens + minTokens;
    if (least <= 0 || eos.length === 0) return undefined;
    return (scores, ids) => {
      if (ids.length < least) forbid(scores, eos);
    };
  },
};

/** The score s of an end becomes s + |s| (factor^n - 1) at the n-th token behind the start. */
export const decayLength: LogitsProcessor = {
  change({ decayLength: decay }, { eos, promptTokens }) {
    if (decay === undefined) return undefined;
    const [start, factor] = decay;
    return (scores, ids) => {
      const behind = ids.length - promptTokens - start;
      if (behind <= 0) return;
      for (const id of eos) {
        const score = scores[id];
        if (score !== undefined && Number.isFinite(score)) {
          scores[id] = score + Math.abs(score) * (factor ** behind - 1);
        }
      }
    };
  },
};
