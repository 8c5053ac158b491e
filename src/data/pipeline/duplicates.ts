/** Which documents repeat others, from their keys alone: the texts are not needed. */
import { DataError } from "../../util/errors.ts";
import { banding, evenOdds } from "../dedup/bands.ts";
import { type DocumentKeys, exactMatches, HEAD_WORDS } from "../dedup/documentKeys.ts";
import { clusterer, clusterSizes, disjointSets, type KeepRule } from "../dedup/nearDuplicates.ts";
import { sketchSimilarity } from "../dedup/sketches.ts";
import { type StarRows, stars } from "../dedup/stars.ts";
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
   * Of near-duplicates: the estimated Jaccard similarity with the one that stays. [n]
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
  const rows = new Uint32Array(words * n);
  let i = 0;
  for (const { count, stride, words: given } of all) {
    if (stride !== words + HEAD_WORDS) throw new DataError("parts were made with different bandings");
    for (let row = 0; row < count; row++, i++) {
      const at = row * stride;
      hashes.set(given.subarray(at, at + 4), 4 * i);
      bytes[i] = given[at + 4]!;
      clean[i] = given[at + 5]!;
      rows.set(given.subarray(at + HEAD_WORDS, at + stride), words * i);
    }
  }
  return { n, words, hashes, bytes, clean, rows };
};

/** Joins what shares a band, band after band, so that one table is in memory at a time. */
const linked = ({ rows, words, bands }: StarRows, repeated: Int32Array): Uint32Array => {
  const n = repeated.length;
  const clusters = clusterer({ bands, expected: n });
  for (let band = 0; band < bands; band++) {
    for (let i = 0; i < n; i++) {
      if (repeated[i]! < 0) clusters.addBand(band, i, rows, i * words + 2 * band);
    }
    clusters.endBand(band);
  }
  return clusters.clusters(n);
};

/** The documents that are linked with others, cluster after cluster, in each those first that would stay. */
function* clustersIn(first: Uint32Array, score?: (document: number) => number): Generator<Uint32Array> {
  const sizes = clusterSizes(first);
  const members = Uint32Array.from(first.keys()).filter((i) => sizes.has(first[i]!));
  const better = score === undefined ? () => 0 : (a: number, b: number) => score(b) - score(a);
  members.sort((a, b) => first[a]! - first[b]! || better(a, b) || a - b);
  for (let from = 0; from < members.length; ) {
    const to = from + sizes.get(first[members[from]!]!)!;
    yield members.subarray(from, to);
    from = to;
  }
}

/** What a document is kept for; where nothing is told, the first stays. */
const scores: Readonly<
  Partial<Record<KeepRule, (bytes: Uint32Array, clean: Uint16Array) => (document: number) => number>>
> = {
  longest: (bytes) => (i) => bytes[i]!,
  // The cleanest, and of equally clean ones the longest.
  best: (bytes, clean) => (i) => clean[i]! * 2 ** 32 + bytes[i]!,
};

/** Finds exact duplicates (the first stays), then near ones among the rest. */
export const findDuplicates = async (
  parts: readonly { keys(): Promise<DocumentKeys> | DocumentKeys }[],
  { near: preset, banding: own = {}, keep }: PipelineSettings,
): Promise<Duplicates> => {
  const { n, words, hashes, bytes, clean, rows } = await gather(parts);
  const matches = exactMatches(hashes);
  const near = new Uint8Array(n);
  const sets = disjointSets();
  const similarities = new Float32Array(n);
  if (preset !== "off" && n > 0) {
    const layout = banding({ preset, ...own });
    const hashCount = layout.bands * layout.rows;
    const table = { rows, words, bands: layout.bands };
    const at = (document: number): number => document * words + 2 * layout.bands;
    const similarity = (a: number, b: number): number =>
      sketchSimilarity(rows, at(a), at(b), { hashes: hashCount });
    const how = { similarity, least: evenOdds(layout) };
    for (const members of clustersIn(linked(table, matches), scores[keep]?.(bytes, clean))) {
      const kept = stars(members, table, how);
      for (const [i, document] of members.entries()) {
        if (kept[i] === document) continue;
        sets.union(kept[i]!, document);
        matches[document] = kept[i]!;
        near[document] = 1;
        similarities[document] = similarity(document, kept[i]!);
      }
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
