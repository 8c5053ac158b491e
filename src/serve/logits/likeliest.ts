/** What sampling leaves out: all but the k likeliest, all but a nucleus, the unlikely beside the best. */
import { top } from "../decode/top.ts";
import { type Change, type LogitsProcessor, NONE, type Scores, softmax } from "./processor.ts";

// Plain loops: a vocabulary is walked at every token, and iterators over typed arrays are ten times slower.

/** Leaves out what is below `least`, but for the `kept` likeliest and their equals. */
const below = (scores: Scores, probs: Float64Array, least: number, kept: number): void => {
  const limit = Math.min(least, probs[top(probs, kept).at(-1)!]!);
  for (let id = 0; id < scores.length; id++) if (probs[id]! < limit) scores[id] = NONE;
};

/** Equals of the k-th stay. */
export const topK: LogitsProcessor = {
  change({ topK: asked = 0 }, { leastKept }) {
    const k = Math.max(asked, leastKept);
    if (asked <= 0) return undefined;
    return (scores) => {
      if (k >= scores.length) return;
      const least = scores[top(scores, k).at(-1)!]!;
      for (let id = 0; id < scores.length; id++) if (scores[id]! < least) scores[id] = NONE;
    };
  },
};

/** Ids that may be in the nucleus: those left out here are together less than what it leaves out. */
const heavy = (probs: Float64Array, topP: number): Uint32Array => {
  const least = Math.max((1 - topP) / probs.length, Number.MIN_VALUE);
  const ids = new Uint32Array(probs.length);
  let count = 0;
  for (let id = 0; id < probs.length; id++) if (probs[id]! >= least) ids[count++] = id;
  return ids.subarray(0, count);
};

const nucleus =
  (topP: number, leastKept: number): Change =>
  (scores) => {
    const probs = softmax(scores);
    const order = heavy(probs, topP).sort((a, b) => probs[b]! - probs[a]! || b - a);
    const kept = new Map<number, number>();
    for (let i = 0, mass = 0; i < order.length && (i < leastKept || mass < topP); i++) {
      mass += probs[order[i]!]!;
      kept.set(order[i]!, scores[order[i]!]!);
    }
    // Where few are wanted of fewer that weigh anything, the next in order are kept too.
    if (kept.size < leastKept) for (const id of top(scores, leastKept)) kept.set(id, scores[id]!);
    scores.fill(NONE);
    for (const [id, score] of kept) scores[id] = score;
  };

/**
 * Keeps the smallest set of likeliest tokens that has this much probability (Holtzman et al. 2020,
 * https://arxiv.org/abs/1904.09751).
 */
export const topP: LogitsProcessor = {
  change: ({ topP: share = 1 }, { leastKept }) => (share < 1 ? nucleus(share, leastKept) : undefined),
};

/** Keeps tokens of at least this share of the likeliest one's probability. */
export const minP: LogitsProcessor = {
  change: ({ minP: share = 0 }, { leastKept }) =>
    share > 0
      ? (scores) => {
          const probs = softmax(scores);
          let most = 0;
          for (let id = 0; id < probs.length; id++) if (probs[id]! > most) most = probs[id]!;
          below(scores, probs, share * most, leastKept);
        }
      : undefined,
};

/** Keeps tokens of at least this probability (Hewitt et al. 2022, https://arxiv.org/abs/2210.15191). */
export const epsilonCutoff: LogitsProcessor = {
  change: ({ epsilonCutoff: epsilon = 0 }, { leastKept }) =>
    epsilon > 0 ? (scores) => below(scores, softmax(scores), epsilon, leastKept) : undefined,
};

/** The entropy of probabilities, nats. */
export const entropyOf = (probs: Float64Array): number => {
  let entropy = 0;
  for (let id = 0; id < probs.length; id++) if (probs[id]! > 0) entropy -= probs[id]! * Math.log(probs[id]!);
  return entropy;
};

/**
 * Keeps tokens of at least a probability that falls with the entropy (Hewitt et al. 2022,
 * https://arxiv.org/abs/2210.15191).
 */
export const etaCutoff: LogitsProcessor = {
  change: ({ etaCutoff: epsilon = 0 }, { leastKept }) =>
    epsilon > 0
      ? (scores) => {
          const probs = softmax(scores);
          const eta = Math.min(epsilon, Math.sqrt(epsilon) * Math.exp(-entropyOf(probs)));
          below(scores, probs, eta, leastKept);
        }
      : undefined,
};

/** Ids are kept in falling order while their share of the entropy lasts; the first in any case. */
export const topH: LogitsProcessor = {
  change({ topH: share }) {
    if (share === undefined) return undefined;
    return (scores) => {
      const order = top(scores, 100);
      const probs = softmax(Float64Array.from(order, (id) => scores[id]!));
      const most = share * entropyOf(probs);
      const before = scores.slice();
      scores.fill(NONE);
      let sum = 0;
      for (let i = 0; i < order.length; i++) {
        sum -= probs[i]! > 0 ? probs[i]! * Math.log(probs[i]!) : 0;
        if (i > 0 && !(sum <= most)) return;
        scores[order[i]!] = before[order[i]!]!;
      }
    };
  },
};
