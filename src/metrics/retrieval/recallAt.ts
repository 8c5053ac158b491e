/** How much of what is relevant a search finds, as trec_eval's recall. */
import { type CutOptions, overQueries } from "./ranking.ts";

/** Relevant documents among the first `k` (10 unless told) over all relevant documents. */
export const recallAt = ({ k = 10 }: CutOptions = {}) =>
  overQueries("recall", k, (found, relevant) => found.filter((gain) => gain > 0).length / relevant.length);
