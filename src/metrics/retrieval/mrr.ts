/** Mean reciprocal rank (Voorhees 1999, https://trec.nist.gov/pubs/trec8/papers/qa_report.pdf). */
import { type CutOptions, overQueries } from "./ranking.ts";

/**
 * 1 over the rank of the first relevant document; 0 where there is none among the first `k`, by default
 * all.
 */
export const mrr = ({ k = Number.POSITIVE_INFINITY }: CutOptions = {}) =>
  overQueries("mrr", k, (found) => {
    const at = found.findIndex((gain) => gain > 0);
    return at < 0 ? 0 : 1 / (at + 1);
  });
