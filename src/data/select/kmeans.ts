/**
 * Clusters of documents: spherical k-means (Dhillon & Modha 2001, https://doi.org/10.1023/A:1007612920971)
 * over hashed vectors of a seeded sample, so that neither order nor shards change them.
 */
import { ConfigError, DataError } from "../../util/errors.ts";
import { type Rng, rng } from "../../util/rng.ts";
import type { Document } from "../records/document.ts";
import { textVector } from "./features.ts";

/** Place of a document in a seeded order of all documents: depends on (seed, id) alone. */
const placeOf = (seed: number, id: string): number => rng(seed, `sample/${id}`).uniform();

/**
 * A sample of `size` documents of a stream in a seeded order: those with the least hashes of (seed, id), so
 * the same one whatever the order.
 */
export const sampler = (size: number, seed: number) => {
  if (!Number.isInteger(size) || size < 1) {
    throw new ConfigError(`must be an integer, at least 1, not ${size}`, { field: "sample" });
  }
  let kept: { readonly place: number; readonly doc: Document }[] = [];
  let worst = Number.POSITIVE_INFINITY;
  const cut = () => {
    kept.sort((a, b) => a.place - b.place || (a.doc.id < b.doc.id ? -1 : 1));
    kept = kept.slice(0, size);
    if (kept.length === size) worst = kept.at(-1)!.place;
  };
  return {
    add(doc: Document): void {
      const place = placeOf(seed, doc.id);
      if (place > worst) return;
      kept.push({ place, doc });
      if (kept.length >= 2 * size) cut();
    },
    take(): Document[] {
      cut();
      return kept.map(({ doc }) => doc);
    },
  };
};

/** Number of clusters and size of vectors. */
export interface ClusterOptions {
  /** Clusters (16); fewer where the sample has fewer distinct documents. */
  readonly k?: number;
  /** Length of the vectors (256). */
  readonly dims?: number;
  readonly iterations?: number;
  readonly seed?: number;
}

/** Clusters that texts are assigned to. */
export interface TextClusters {
  readonly k: number;
  /** The cluster that a text is nearest to. */
  assign(text: string): number;
}

const dot = (a: Float32Array, b: Float32Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

const nearest = (centres: readonly Float32Array[], vector: Float32Array): number => {
  let best = 0;
  let most = Number.NEGATIVE_INFINITY;
  for (const [i, centre] of centres.entries()) {
    const cosine = dot(centre, vector);
    if (cosine > most) [best, most] = [i, cosine];
  }
  return best;
};

/** An index drawn in proportion to `weights`, or undefined where all are 0. */
const draw = (weights: Float64Array, random: Rng): number | undefined => {
  let left = random.uniform() * weights.reduce((sum, w) => sum + w, 0);
  let last: number | undefined;
  for (const [i, w] of weights.entries()) {
    if (w <= 0) continue;
    last = i;
    left -= w;
    if (left < 0) break;
  }
  return last;
};

/** k-means++ seeding (Arthur & Vassilvitskii 2007): far points are likelier. */
const firstCentres = (vectors: readonly Float32Array[], k: number, seed: number): Float32Array[] => {
  const random = rng(seed, "k-means");
  const centres = [vectors[random.int(vectors.length)]!];
  const distance = new Float64Array(vectors.length).fill(Number.POSITIVE_INFINITY);
  while (centres.length < k) {
    for (const [i, v] of vectors.entries()) {
      const far = 1 - dot(centres.at(-1)!, v);
      distance[i] = Math.min(distance[i]!, far < 1e-6 ? 0 : far);
    }
    const next = draw(distance, random);
    if (next === undefined) break;
    centres.push(vectors[next]!);
  }
  return centres;
};

const unit = (sum: Float64Array): Float32Array | undefined => {
  const norm = Math.sqrt(sum.reduce((s, x) => s + x * x, 0));
  return norm === 0 ? undefined : Float32Array.from(sum, (x) => x / norm);
};

/** One round: each centre becomes the direction of its members; one without members stays. */
const improved = (centres: readonly Float32Array[], vectors: readonly Float32Array[]): Float32Array[] => {
  const sums = centres.map((c) => new Float64Array(c.length));
  for (const v of vectors) {
    const sum = sums[nearest(centres, v)]!;
    for (let i = 0; i < v.length; i++) sum[i]! += v[i]!;
  }
  return centres.map((centre, i) => unit(sums[i]!) ?? centre);
};

/** Seedings that are tried: one may put two centres into one cluster, and that stays. */
const RESTARTS = 5;

const fitted = (vectors: readonly Float32Array[], k: number, iterations: number, seed: number) => {
  let centres = firstCentres(vectors, k, seed);
  for (let i = 0; i < iterations; i++) centres = improved(centres, vectors);
  const fit = vectors.reduce((sum, v) => sum + dot(centres[nearest(centres, v)]!, v), 0);
  return { centres, fit };
};

/** Fits clusters to texts. Throws DataError where none has words. */
export const fitClusters = (texts: readonly string[], options: ClusterOptions = {}): TextClusters => {
  const { k = 16, dims = 256, iterations = 12, seed = 1 } = options;
  if (!Number.isInteger(k) || k < 1) throw new ConfigError(`must be at least 1, not ${k}`, { field: "k" });
  const vectors = texts.map((text) => textVector(text, dims)).filter((v) => v.some((x) => x !== 0));
  if (vectors.length === 0) throw new DataError("there are no words to form clusters of");
  const most = Math.min(k, vectors.length);
  const tries = Array.from({ length: RESTARTS }, (_, i) => fitted(vectors, most, iterations, seed + i));
  const { centres } = tries.reduce((best, next) => (next.fit > best.fit ? next : best));
  return { k: centres.length, assign: (text) => nearest(centres, textVector(text, dims)) };
};

/** Share of the texts in each cluster, [k]; all 0 where there are no texts. */
export const clusterShares = ({ k, assign }: TextClusters, texts: readonly string[]): Float64Array => {
  const counts = new Float64Array(k);
  for (const text of texts) counts[assign(text)]!++;
  return counts.map((count) => count / Math.max(1, texts.length));
};
