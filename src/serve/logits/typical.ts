/** What sampling leaves out by how typical a token is: how near its surprise is to the expected one. */

import { entropyOf } from "./likeliest.ts";
import { type LogitsProcessor, NONE, softmax } from "./processor.ts";

/**
 * Keeps the most typical tokens that have this much probability together (Meister et al. 2023,
 * https://arxiv.org/abs/2202.00666).
 */
export const typicalP: LogitsProcessor = {
  change({ typicalP: mass = 1 }, { leastKept }) {
    if (mass >= 1) return undefined;
    return (scores) => {
      const probs = softmax(scores);
      const entropy = entropyOf(probs);
      const shifted = Float64Array.from(probs, (p) => Math.abs(-Math.log(p) - entropy));
      const order = Uint32Array.from(probs, (_, id) => id).sort((a, b) => shifted[a]! - shifted[b]! || a - b);
      let last = 0;
      for (let sum = probs[order[0]!]!; sum < mass && last + 1 < order.length; )
        sum += probs[order[++last]!]!;
      const most = shifted[order[last]!]!;
      for (let i = leastKept; i < order.length; i++) {
        if (shifted[order[i]!]! > most) scores[order[i]!] = NONE;
      }
    };
  },
};
