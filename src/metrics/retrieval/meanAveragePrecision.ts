/**
 * Mean average precision, as trec_eval's map and map_cut
 * (https://trec.nist.gov/pubs/trec15/appendices/CE.MEASURES06.pdf).
 */
import { type CutOptions, overQueries } from "./ranking.ts";

/**
 * The mean over relevant documents of the precision at their rank, 0 for those not among the first `k` (by
 * default all).
 */
export const meanAveragePrecision = ({ k = Number.POSITIVE_INFINITY }: CutOptions = {}) =>
  overQueries("map", k, (found, relevant) => {
    let [hits, sum] = [0, 0];
    for (const [i, gain] of found.entries()) if (gain > 0) sum += ++hits / (i + 1);
    return sum / relevant.length;
  });
