/** A search's answer to one query, and what is known to be right, as trec_eval reads them. */
import { DataError } from "../../util/errors.ts";
import { bootstrapMean } from "../bootstrap.ts";
import { type Metric, paired, requireCount } from "../metric.ts";

/** Ids of documents, the best first. */
export type Ranking = readonly string[];

/** How relevant documents are, by id: above 0 is relevant, and what is not named is not. */
export type Judgments = ReadonlyMap<string, number>;

/** How far down a ranking is read. */
export interface CutOptions {
  /** Documents of the ranking that count. */
  readonly k?: number;
}

/** Documents by their scores, the highest first; of equal ones the one with the later id, as in trec_eval. */
export const ranked = (scores: ReadonlyMap<string, number>): Ranking =>
  [...scores]
    .sort(([a, x], [b, y]) => (x === y ? Number(a < b) - Number(a > b) : y - x))
    .map(([document]) => document);

/**
 * The relevance of each document of a ranking, none below 0. Throws DataError where one stands there twice.
 */
const gains = (ranking: Ranking, judgments: Judgments, query: number): number[] => {
  const seen = new Set<string>();
  return ranking.map((document) => {
    if (seen.has(document)) {
      throw new DataError(`the ranking of query ${query + 1} has document ${JSON.stringify(document)} twice`);
    }
    seen.add(document);
    return Math.max(0, judgments.get(document) ?? 0);
  });
};

/** A figure of one query: from the relevance of what was found, best first, and that of all that there is. */
type OfQuery = (found: readonly number[], relevant: readonly number[]) => number;

/** The mean of a figure over queries; a query without any relevant document has 0, as in trec_eval. */
export const overQueries = (name: string, k: number, ofQuery: OfQuery): Metric<Ranking, Judgments> => ({
  name: k === Number.POSITIVE_INFINITY ? name : `${name}@${k}`,
  unit: "",
  better: "more",
  measure: (rankings, judgments, interval) => {
    paired(rankings, judgments);
    if (k !== Number.POSITIVE_INFINITY) requireCount("k", k);
    const values = rankings.map((ranking, i) => {
      const relevant = [...judgments[i]!.values()].filter((gain) => gain > 0);
      const found = gains(ranking, judgments[i]!, i).slice(0, k);
      return relevant.length === 0 ? 0 : ofQuery(found, relevant);
    });
    return bootstrapMean(values, interval);
  },
});
