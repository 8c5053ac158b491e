/** How much of a target a selection covers: its vocabulary and its clusters. */
import { ConfigError } from "../../util/errors.ts";
import type { Document } from "../records/document.ts";
import { countText, type FeatureCounts, type FeatureOptions, featureCounts } from "./features.ts";
import { type ClusterOptions, clusterShares, fitClusters, sampler } from "./kmeans.ts";

/** How much of a target's n-grams the selection has. */
export interface FeatureCoverage {
  /** Share of the target's buckets that the selection has too. */
  readonly types: number;
  /** Share of the target's occurrences that are in such buckets. */
  readonly occurrences: number;
}

/** Coverage of counts by counts of the same kind. */
export const featureCoverage = (target: FeatureCounts, selected: FeatureCounts): FeatureCoverage => {
  if (target.counts.length !== selected.counts.length || target.ngrams !== selected.ngrams) {
    throw new ConfigError("counts of different kinds cannot be compared", { field: "buckets" });
  }
  let [types, have, occurrences] = [0, 0, 0];
  for (const [i, count] of target.counts.entries()) {
    if (count === 0) continue;
    types++;
    if (selected.counts[i]! > 0) {
      have++;
      occurrences += count;
    }
  }
  return types === 0
    ? { types: 1, occurrences: 1 }
    : { types: have / types, occurrences: occurrences / target.total };
};

/** How much of a target's tokens the selection has. */
export interface VocabularyCoverage {
  /** Share of the target's different tokens that the selection has too. */
  readonly types: number;
  /** Share of the target's tokens that are of those. */
  readonly occurrences: number;
}

/** Coverage of token counts [vocabulary], for a selection that is tokenized already. */
export const vocabularyCoverage = (
  target: ArrayLike<number>,
  selected: ArrayLike<number>,
): VocabularyCoverage => {
  if (target.length !== selected.length) {
    throw new ConfigError("counts are of different vocabularies", { field: "vocabulary" });
  }
  let [types, have, all, occurrences] = [0, 0, 0, 0];
  for (let i = 0; i < target.length; i++) {
    if (target[i]! <= 0) continue;
    types++;
    all += target[i]!;
    if (selected[i]! <= 0) continue;
    have++;
    occurrences += target[i]!;
  }
  return types === 0 ? { types: 1, occurrences: 1 } : { types: have / types, occurrences: occurrences / all };
};

/** How much of a target's clusters the selection has. */
export interface ClusterCoverage {
  /** Clusters of the target. */
  readonly clusters: number;
  /** Share of them that the selection has documents in. */
  readonly covered: number;
  /** Overlap of the two distributions over clusters, sum of min(p, q): 1 where they are the same. */
  readonly overlap: number;
}

/** How n-grams and clusters are made, and of how many documents. */
export interface CoverageOptions extends FeatureOptions, ClusterOptions {
  /** Documents of each side that clusters are measured on (1000). */
  readonly sample?: number;
}

/** Coverage by n-grams and by clusters. */
export interface Coverage extends FeatureCoverage {
  readonly byCluster: ClusterCoverage;
}

/** Coverage of the target's clusters by texts. */
export const clusterCoverage = (
  target: readonly string[],
  selected: readonly string[],
  options: ClusterOptions = {},
): ClusterCoverage => {
  const clusters = fitClusters(target, options);
  const p = clusterShares(clusters, target);
  const q = clusterShares(clusters, selected);
  const own = p.filter((share) => share > 0).length;
  let [covered, overlap] = [0, 0];
  for (const [i, share] of p.entries()) {
    if (share > 0 && q[i]! > 0) covered++;
    overlap += Math.min(share, q[i]!);
  }
  return { clusters: own, covered: covered / own, overlap };
};

type Stream = AsyncIterable<Document> | Iterable<Document>;

const read = async (documents: Stream, { sample = 1000, seed = 1, ...options }: CoverageOptions) => {
  const counts = featureCounts(options);
  const some = sampler(sample, seed);
  for await (const doc of documents) {
    countText(counts, doc.text);
    some.add(doc);
  }
  return { counts, texts: some.take().map(({ text }) => text) };
};

/** Coverage of the target by a selection, both streamed once. Throws DataError for a target without words. */
export const coverage = async (
  target: Stream,
  selected: Stream,
  options: CoverageOptions = {},
): Promise<Coverage> => {
  const own = await read(target, options);
  const other = await read(selected, options);
  return {
    ...featureCoverage(own.counts, other.counts),
    byCluster: clusterCoverage(own.texts, other.texts, options),
  };
};
