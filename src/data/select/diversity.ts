/**
 * How diverse a corpus is, measured on a seeded sample of documents: most of these measures fall with the
 * amount of text, so corpora are only comparable at the same sample size.
 */

import type { Document } from "../records/document.ts";
import { eachNgram, eachWord, textVector } from "./features.ts";
import { clusterShares, fitClusters, sampler } from "./kmeans.ts";

/** The sample that is measured. */
export interface DiversityOptions {
  /** Documents that are measured (500). */
  readonly sample?: number;
  readonly seed?: number;
  /** Clusters that entropy is taken over (16). */
  readonly k?: number;
}

/** Measures of diversity of one sample. */
export interface Diversity {
  /** Documents measured, and their words. */
  readonly documents: number;
  readonly words: number;
  /** Different n-grams / n-grams, for 1, 2 and 3 words (Li et al. 2016, https://arxiv.org/abs/1510.03055). */
  readonly distinct: readonly [number, number, number];
  /** Mean cosine of pairs of documents, over hashed words and pairs of words. */
  readonly meanCosine: number;
  /** Mean Jaccard similarity of the sets of words of pairs of documents. */
  readonly meanJaccard: number;
  /** Entropy over clusters of the sample / that of equal clusters: 1 is even, 0 all in one. */
  readonly clusterEntropy: number;
  /**
   * How many documents without anything in common would be as diverse: 1 where all are the same, `documents`
   * where none is like another. The Vendi score of order 2 (Pasarkar & Dieng 2023,
   * https://arxiv.org/abs/2310.12952), n^2 / sum of squared cosines.
   */
  readonly effectiveDocuments: number;
}

/** Different n-grams / n-grams of texts, for n = 1, 2, 3; 0 where there are none. */
export const distinctNgrams = (texts: readonly string[]): [number, number, number] => {
  const seen = [new Set<number>(), new Set<number>(), new Set<number>()];
  const counts = [0, 0, 0];
  for (const text of texts) {
    eachNgram(text, 3, (hash, length) => {
      seen[length - 1]!.add(hash);
      counts[length - 1]!++;
    });
  }
  const share = (i: number) => (counts[i] === 0 ? 0 : seen[i]!.size / counts[i]!);
  return [share(0), share(1), share(2)];
};

const DIMS = 1024;

/** Mean cosine of pairs and effective number of documents. */
export const selfSimilarity = (
  texts: readonly string[],
): { readonly meanCosine: number; readonly effectiveDocuments: number } => {
  const vectors = texts.map((text) => textVector(text, DIMS, 2)).filter((v) => v.some((x) => x !== 0));
  const n = vectors.length;
  let [sum, squares] = [0, 0];
  for (let a = 0; a < n; a++) {
    for (let b = 0; b < a; b++) {
      let cosine = 0;
      for (let i = 0; i < DIMS; i++) cosine += vectors[a]![i]! * vectors[b]![i]!;
      sum += cosine;
      squares += cosine * cosine;
    }
  }
  return {
    meanCosine: n < 2 ? 0 : sum / ((n * (n - 1)) / 2),
    effectiveDocuments: n === 0 ? 0 : n ** 2 / (n + 2 * squares),
  };
};

/** Pairs beyond these many documents are left out of the Jaccard similarity. */
const JACCARD = 200;

/** Mean Jaccard similarity of the word sets of pairs of the first 200 texts. */
export const meanJaccard = (texts: readonly string[]): number => {
  const sets = texts.slice(0, JACCARD).map((text) => {
    const words = new Set<number>();
    eachWord(text, (hash) => words.add(hash));
    return words;
  });
  let [sum, pairs] = [0, 0];
  for (const [i, a] of sets.entries()) {
    for (const b of sets.slice(0, i)) {
      let both = 0;
      for (const word of b) if (a.has(word)) both++;
      const either = a.size + b.size - both;
      sum += either === 0 ? 0 : both / either;
      pairs++;
    }
  }
  return pairs === 0 ? 0 : sum / pairs;
};

/** Entropy of shares / log of their number: 1 where they are equal, 0 where one has all. */
export const evenness = (shares: ArrayLike<number>): number => {
  if (shares.length < 2) return 0;
  let entropy = 0;
  for (let i = 0; i < shares.length; i++) if (shares[i]! > 0) entropy -= shares[i]! * Math.log(shares[i]!);
  return Math.max(0, Math.min(1, entropy / Math.log(shares.length)));
};

const wordCount = (texts: readonly string[]): number =>
  texts.reduce((sum, text) => sum + eachWord(text, () => {}), 0);

/** Diversity of a stream of documents, whatever their order. */
export const diversity = async (
  documents: AsyncIterable<Document> | Iterable<Document>,
  { sample = 500, seed = 1, k = 16 }: DiversityOptions = {},
): Promise<Diversity> => {
  const some = sampler(sample, seed);
  for await (const doc of documents) some.add(doc);
  const texts = some.take().map(({ text }) => text);
  const words = wordCount(texts);
  const clusters = words === 0 ? undefined : fitClusters(texts, { k, seed });
  return {
    documents: texts.length,
    words,
    distinct: distinctNgrams(texts),
    ...selfSimilarity(texts),
    meanJaccard: meanJaccard(texts),
    clusterEntropy: clusters === undefined ? 0 : evenness(clusterShares(clusters, texts)),
  };
};
