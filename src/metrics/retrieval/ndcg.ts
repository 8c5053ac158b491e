/**
 * Normalized discounted cumulative gain (Järvelin and Kekäläinen 2002,
 * https://doi.org/10.1145/582415.582418).
 */
import { type CutOptions, overQueries } from "./ranking.ts";

const discounted = (gains: readonly number[]): number =>
  gains.reduce((sum, gain, i) => sum + gain / Math.log2(i + 2), 0);

/**
 * sum over ranks i of gain / log2(i + 1), over what the best ranking has: from 0 to 1. Gains are the
 * relevance itself, as in trec_eval, not 2^relevance - 1. `k` is 10 unless told.
 */
export const ndcg = ({ k = 10 }: CutOptions = {}) =>
  overQueries("ndcg", k, (found, relevant) => {
    const best = [...relevant].sort((a, b) => b - a).slice(0, k);
    return discounted(found) / discounted(best);
  });
