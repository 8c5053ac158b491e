import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { permutation, rng } from "../../util/rng.ts";
import type { Document } from "../records/document.ts";
import { clusterCoverage, coverage, featureCoverage, vocabularyCoverage } from "./coverage.ts";
import { distinctNgrams, diversity, evenness, meanJaccard, selfSimilarity } from "./diversity.ts";
import { countTexts } from "./features.ts";
import { clusterShares, fitClusters, sampler } from "./kmeans.ts";

const words = (topic: number, id: number): string => {
  const random = rng(2, `${topic}/${id}`);
  return Array.from({ length: 30 }, () => `t${topic}w${random.int(25)}`).join(" ");
};
const docs = (topics: readonly number[], each: number): Document[] =>
  topics.flatMap((t) => Array.from({ length: each }, (_, i) => ({ id: `${t}/${i}`, text: words(t, i) })));
const texts = (documents: readonly Document[]) => documents.map(({ text }) => text);
const shuffled = <T>(list: readonly T[]): T[] =>
  Array.from(permutation(list.length, 5, "x"), (i) => list[i]!);

describe("clusters", () => {
  test("find planted topics", () => {
    const given = docs([0, 1, 2, 3], 30);
    const clusters = fitClusters(texts(given), { k: 4, seed: 1 });
    for (const t of [0, 1, 2, 3]) {
      const own = new Set(given.filter((d) => d.id.startsWith(`${t}/`)).map((d) => clusters.assign(d.text)));
      expect(own.size).toBe(1);
    }
    expect(new Set(texts(given).map(clusters.assign)).size).toBe(4);
    expect(Array.from(clusterShares(clusters, texts(given)), (x) => Math.round(x * 100))).toEqual([
      25, 25, 25, 25,
    ]);
  });

  test("fewer distinct documents than clusters, and no words at all", () => {
    expect(fitClusters(["a", "a", "b"], { k: 16 }).k).toBe(2);
    expect(() => fitClusters(["", " "])).toThrow(/no words/);
    expect(() => fitClusters(["a"], { k: 0 })).toThrow(/at least 1/);
  });

  test("a sample is the same whatever the order, and all where there are few", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string()), fc.integer({ min: 1, max: 20 }), (ids, size) => {
        const take = (list: readonly string[]) => {
          const some = sampler(size, 1);
          for (const id of list) some.add({ id, text: "" });
          return some.take().map((d) => d.id);
        };
        expect(take(ids)).toEqual(take([...ids].reverse()));
        expect(take(ids)).toHaveLength(Math.min(size, ids.length));
      }),
    );
  });
});

describe("coverage", () => {
  test("of vocabulary", () => {
    const options = { ngrams: 1, buckets: 1 << 20 };
    const target = countTexts(["a a a b c d"], options);
    expect(featureCoverage(target, countTexts(["b a"], options))).toEqual({ types: 0.5, occurrences: 4 / 6 });
    expect(featureCoverage(target, target)).toEqual({ types: 1, occurrences: 1 });
    expect(vocabularyCoverage([3, 1, 0, 1], [1, 0, 9, 0])).toEqual({ types: 1 / 3, occurrences: 0.6 });
    expect(() => vocabularyCoverage([1], [1, 2])).toThrow(/different/);
    expect(() => featureCoverage(target, countTexts(["a"]))).toThrow(/kinds/);
  });

  test("of clusters: half the topics cover half", () => {
    const target = texts(docs([0, 1, 2, 3], 25));
    const half = clusterCoverage(target, texts(docs([0, 1], 25)), { k: 4 });
    expect(half).toMatchObject({ clusters: 4, covered: 0.5 });
    expect(half.overlap).toBeCloseTo(0.5, 6);
    expect(clusterCoverage(target, target, { k: 4 }).overlap).toBeCloseTo(1, 6);
  });

  test("of streams, whatever their order", async () => {
    const [target, selected] = [docs([0, 1, 2], 20), docs([1, 2, 3], 20)];
    const one = await coverage(target, selected, { k: 3, sample: 30 });
    expect(await coverage(shuffled(target), shuffled(selected), { k: 3, sample: 30 })).toEqual(one);
    expect(one.types).toBeLessThan(1);
    expect(one.byCluster.covered).toBeGreaterThan(0.6);
  });
});

describe("diversity", () => {
  test("distinct n-grams", () => {
    expect(distinctNgrams(["a b a b"])).toEqual([0.5, 2 / 3, 1]);
    expect(distinctNgrams(["a b", "a b"])).toEqual([0.5, 0.5, 0]);
  });

  test("equal documents count for one, different ones for each", () => {
    const same = selfSimilarity(Array.from({ length: 20 }, () => "one and the same text"));
    expect(same.meanCosine).toBeCloseTo(1, 5);
    expect(same.effectiveDocuments).toBeCloseTo(1, 5);
    const unlike = selfSimilarity(
      texts(
        docs(
          Array.from({ length: 20 }, (_, i) => i),
          1,
        ),
      ),
    );
    expect(Math.abs(unlike.meanCosine)).toBeLessThan(0.05);
    expect(unlike.effectiveDocuments).toBeGreaterThan(18);
    expect(meanJaccard(["a b", "b c", "b a"])).toBeCloseTo((1 / 3 + 1 + 1 / 3) / 3, 10);
  });

  test("evenness", () => {
    expect(evenness([0.25, 0.25, 0.25, 0.25])).toBeCloseTo(1, 10);
    expect(evenness([1, 0, 0])).toBe(0);
    expect(evenness([1])).toBe(0);
  });

  test("a corpus of many topics is more diverse than one of a single one, in every measure", async () => {
    const one = await diversity(docs([0], 80), { k: 8 });
    const many = await diversity(docs([0, 1, 2, 3, 4, 5, 6, 7], 10), { k: 8 });
    for (const i of [0, 1]) expect(many.distinct[i]!).toBeGreaterThan(one.distinct[i]!);
    expect(many.meanCosine).toBeLessThan(one.meanCosine);
    expect(many.meanJaccard).toBeLessThan(one.meanJaccard);
    expect(many.effectiveDocuments).toBeGreaterThan(one.effectiveDocuments);
    expect(many).toMatchObject({ documents: 80, words: 2400 });
    expect(many.clusterEntropy).toBeGreaterThan(0.9);
  });

  test("is the same whatever the order, and of nothing is 0", async () => {
    const given = docs([0, 1, 2], 30);
    expect(await diversity(shuffled(given), { sample: 40 })).toEqual(await diversity(given, { sample: 40 }));
    expect(await diversity([])).toMatchObject({ documents: 0, effectiveDocuments: 0, clusterEntropy: 0 });
  });
});
