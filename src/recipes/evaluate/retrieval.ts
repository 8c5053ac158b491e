/** Whether texts find those that belong to them: a search over all texts of the user's pairs. */

import type { Figures } from "../../metrics/metric.ts";
import { mrr } from "../../metrics/retrieval/mrr.ts";
import { ndcg } from "../../metrics/retrieval/ndcg.ts";
import { type Judgments, ranked } from "../../metrics/retrieval/ranking.ts";
import { recallAt } from "../../metrics/retrieval/recallAt.ts";
import { dot } from "../../tasks/embedding/groupFigures.ts";
import type { Prediction } from "./evaluation.ts";

/** A text, the one that belongs to it, and those that do not. */
export interface Group {
  /** "file:line" */
  readonly id: string;
  readonly texts: readonly string[];
}

/** How deep a ranking is looked at. */
const DEEP = 100;

/** The first `DEEP` texts by their nearness to an anchor. */
const nearest = (anchor: Float32Array, texts: readonly Float32Array[]): Map<string, number> => {
  const scores = texts.map((text, i) => [i, dot(anchor, text)] as const);
  const top = scores.sort(([i, a], [k, b]) => b - a || i - k).slice(0, DEEP);
  return new Map(top.map(([i, score]) => [String(i), score]));
};

/** What each group's search finds. */
export interface Search {
  readonly figures: Figures;
  readonly predictions: readonly Prediction[];
}

/**
 * Each anchor looks for its text among all texts of all groups but the anchors, each text once. `vectorOf`
 * gives the vector of a text, of length 1.
 */
export const search = (groups: readonly Group[], vectorOf: (text: string) => Float32Array): Search => {
  const corpus = [...new Set(groups.flatMap(({ texts }) => texts.slice(1)))];
  const place = new Map(corpus.map((text, i) => [text, i]));
  const right = new Map<string, Set<string>>();
  for (const {
    texts: [anchor, positive],
  } of groups) {
    right.set(anchor!, (right.get(anchor!) ?? new Set()).add(String(place.get(positive!)!)));
  }
  const vectors = corpus.map(vectorOf);
  const anchors = [...right.keys()];
  const rankings = anchors.map((anchor) => ranked(nearest(vectorOf(anchor), vectors)));
  const judgments = anchors.map((anchor): Judgments => new Map([...right.get(anchor)!].map((id) => [id, 1])));
  const figures: Figures = {
    mrr: mrr().measure(rankings, judgments),
    "ndcg@10": ndcg().measure(rankings, judgments),
    "recall@1": recallAt({ k: 1 }).measure(rankings, judgments),
    "recall@10": recallAt({ k: 10 }).measure(rankings, judgments),
  };
  const idOf = new Map(groups.map(({ id, texts }) => [texts[0]!, id]));
  const predictions = anchors.map((anchor, i): Prediction => {
    const found = rankings[i]!.map((id) => corpus[Number(id)]!);
    const at = rankings[i]!.findIndex((id) => judgments[i]!.has(id));
    return {
      id: idOf.get(anchor)!,
      input: anchor,
      reference: [...right.get(anchor)!].map((id) => corpus[Number(id)]!),
      prediction: found.slice(0, 3),
      score: at < 0 ? 0 : 1 / (at + 1),
    };
  });
  return { figures, predictions };
};
