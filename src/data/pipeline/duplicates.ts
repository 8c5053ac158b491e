/** Which documents repeat others, from their keys alone: the texts are not needed. */
import { DataError } from "../../util/errors.ts";
import { banding } from "../dedup/bands.ts";
import { type DocumentKeys, exactMatches, HEAD_WORDS } from "../dedup/documentKeys.ts";
import { clusterer, disjointSets, keepers } from "../dedup/nearDuplicates.ts";
import type { PipelineSettings } from "./stages.ts";

/** Sets of documents that grow together. */
export type DisjointSets = ReturnType<typeof disjointSets>;

/** Which documents repeat which. */
export interface Duplicates {
  /** The document that each repeats, or -1. [n] */
  readonly matches: Int32Array;
  /** 1 where the match is not exact. [n] */
  readonly near: Uint8Array;
  /**
   * Of near-duplicates: the Jaccard similarity at which as many bands agree on the mean, that is
   * (agreeing / bands) ^ (1 / rows). [n]
   */
  readonly similarities: Float32Array;
  /** [n * 4] */
  readonly hashes: Uint32Array;
  /** UTF-8 bytes of each document. [n] */
  readonly bytes: Uint32Array;
  readonly totalBytes: number;
  /** Documents that are alike, whether or not they are dropped. */
  readonly sets: DisjointSets;
}

const gather = async (parts: readonly { keys(): Promise<DocumentKeys> | DocumentKeys }[]) => {
  const all: DocumentKeys[] = [];
  for (const part of parts) all.push(await part.keys());
  const n = all.reduce((sum, { count }) => sum + count, 0);
  const words = Math.max(0, (all[0]?.stride ?? HEAD_WORDS) - HEAD_WORDS);
  const hashes = new Uint32Array(4 * n);
  const bytes = new Uint32Array(n);
  const clean = new Uint16Array(n);
  const bands = new Uint32Array(words * n);
  let i = 0;
  for (const { count, stride, words: rows } of all) {
    if (stride !== words + HEAD_WORDS) throw new DataError("parts were made with different bandings");
    for (let row = 0; row < count; row++, i++) {
      const at = row * stride;
      hashes.set(rows.subarray(at, at + 4), 4 * i);
      bytes[i] = rows[at + 4]!;
      clean[i] = rows[at + 5]!;
      bands.set(rows.subarray(at + HEAD_WORDS, at + stride), words * i);
    }
  }
  return { n, words, hashes, bytes, clean, bands };
};

/** Joins what shares a band, band after band, so that one table is in memory at a time. */
const clustersOf = (bands: Uint32Array, words: number, repeated: Int32Array): Uint32Array => {
  const n = repeated.length;
  const clusters = clusterer({ bands: words / 2, expected: n });
  for (let band = 0; band < words / 2; band++) {
    for (let i = 0; i < n; i++) {
      if (repeated[i]! < 0) clusters.addBand(band, i, bands, i * words + 2 * band);
    }
    clusters.endBand(band);
  }
  return clusters.clusters(n);
};

/** Share of the bands in which two documents agree. */
const agreement = (bands: Uint32Array, words: number, a: number, b: number): number => {
  let same = 0;
  for (let at = 0; at < words; at += 2) {
    const low = bands[a * words + at] === bands[b * words + at];
    if (low && bands[a * words + at + 1] === bands[b * words + at + 1]) same++;
  }
  return (2 * same) / words;
};

/** Finds exact duplicates (the first stays), then near ones among the rest. */
export const findDuplicates = async (
  parts: readonly { keys(): Promise<DocumentKeys> | DocumentKeys }[],
  { near: preset, banding: own = {}, keep }: PipelineSettings,
): Promise<Duplicates> => {
  const { n, words, hashes, bytes, clean, bands } = await gather(parts);
  const matches = exactMatches(hashes);
  const near = new Uint8Array(n);
  const sets = disjointSets();
  const similarities = new Float32Array(n);
  if (preset !== "off" && n > 0) {
    const { rows } = banding({ preset, ...own });
    const clusters = clustersOf(bands, words, matches);
    // The cleanest, and of equally clean ones the longest.
    const best = (i: number): number => clean[i]! * 2 ** 32 + bytes[i]!;
    const kept = keepers(clusters, keep, keep === "best" ? best : (i) => bytes[i]!);
    for (let i = 0; i < n; i++) {
      if (matches[i]! >= 0) continue;
      sets.union(clusters[i]!, i);
      if (kept[i] === i) continue;
      matches[i] = kept[i]!;
      near[i] = 1;
      const agree = agreement(bands, words, i, kept[i]!);
      similarities[i] = agree ** (1 / rows);
    }
  }
  const totalBytes = bytes.reduce((sum, size) => sum + size, 0);
  return { matches, near, similarities, hashes, bytes, totalBytes, sets };
};

/** Clusters of near-duplicates by size. */
export interface ClusterSizes {
  readonly clusters: number;
  /** Documents in clusters, the kept ones too. */
  readonly documents: number;
  readonly sizes: readonly { readonly size: number; readonly clusters: number }[];
}

/** Counts the clusters that near-duplicates were found in. */
export const clusterSummary = ({ matches, near }: Duplicates): ClusterSizes => {
  const members = new Map<number, number>();
  matches.forEach((match, i) => {
    if (near[i] === 1) members.set(match, (members.get(match) ?? 1) + 1);
  });
  const sizes = new Map<number, number>();
  for (const size of members.values()) sizes.set(size, (sizes.get(size) ?? 0) + 1);
  return {
    clusters: members.size,
    documents: Array.from(members.values()).reduce((sum, size) => sum + size, 0),
    sizes: Array.from(sizes, ([size, clusters]) => ({ size, clusters })).sort((a, b) => a.size - b.size),
  };
};
