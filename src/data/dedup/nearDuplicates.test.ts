import { describe, expect, test } from "vitest";
import { ConfigError, DataError } from "../../util/errors.ts";
import { permutation, rng } from "../../util/rng.ts";
import { signer } from "./minhash.ts";
import { clusterer, clusterSizes, disjointSets } from "./nearDuplicates.ts";
import { jaccard, shingleSets } from "./shingles.ts";

const BANDS = 4;

/** Keys from a small range, so that many documents share some. */
const randomKeys = (documents: number, range: number, seed: number): Uint32Array[] => {
  const random = rng(seed, "nearDuplicates.test");
  return Array.from({ length: documents }, () =>
    Uint32Array.from({ length: 2 * BANDS }, (_, i) => (i % 2 === 0 ? random.int(range) : 7)),
  );
};

const shares = (a: Uint32Array, b: Uint32Array): boolean =>
  a.some((word, i) => i % 2 === 0 && word === b[i] && a[i + 1] === b[i + 1]);

/** Connected components by asking all pairs, again and again. */
const slowClusters = (keys: readonly Uint32Array[], confirm = (_a: number, _b: number) => true): number[] => {
  const first = keys.map((_, i) => i);
  for (let changed = true; changed; ) {
    changed = false;
    for (let a = 0; a < keys.length; a++)
      for (let b = 0; b < a; b++) {
        if (first[a] === first[b] || !shares(keys[a]!, keys[b]!) || !confirm(b, a)) continue;
        first[a] = first[b] = Math.min(first[a]!, first[b]!);
        changed = true;
      }
  }
  return first;
};

const clustersOf = (
  keys: readonly Uint32Array[],
  order: Iterable<number>,
  confirm?: (a: number, b: number) => boolean,
): number[] => {
  const made = clusterer({ bands: BANDS, ...(confirm === undefined ? {} : { confirm }) });
  for (const document of order) made.add(document, keys[document]!);
  return [...made.clusters(keys.length)];
};

describe("clusters", () => {
  test("are those of a slow reference, whatever the order in which documents come", () => {
    for (let seed = 0; seed < 40; seed++) {
      const keys = randomKeys(60, 20 + 8 * seed, seed);
      const expected = slowClusters(keys);
      for (const name of ["a", "b", "c"])
        expect(clustersOf(keys, permutation(keys.length, seed, name))).toEqual(expected);
    }
  });

  test("of confirmed pairs too, where a common key is not enough", () => {
    const confirm = (a: number, b: number): boolean => (a * 7 + b * 13) % 3 === 0;
    for (let seed = 0; seed < 40; seed++) {
      const keys = randomKeys(50, 10 + 3 * seed, seed);
      const expected = slowClusters(keys, confirm);
      expect(expected).not.toEqual(slowClusters(keys));
      for (const name of ["a", "b", "c"])
        expect(clustersOf(keys, permutation(keys.length, seed, name), confirm)).toEqual(expected);
    }
  });

  test("documents without keys are alone", () => {
    const keys = [0, 1, 0, 1].map((word) => new Uint32Array(2 * BANDS).fill(word));
    expect(clustersOf(keys, [0, 1, 2, 3])).toEqual([0, 1, 2, 1]);
  });

  test("a refused pair is asked about once, the lesser number first", () => {
    const asked: string[] = [];
    const keys = [0, 1, 2].map(() => new Uint32Array(2 * BANDS).fill(1));
    clustersOf(keys, [2, 0, 1], (a, b) => {
      asked.push(`${a}-${b}`);
      return false;
    });
    expect(asked.sort()).toEqual(["0-1", "0-2", "1-2"]);
  });

  test("band by band they are the same, and a table at a time is in memory", () => {
    const keys = randomKeys(3000, 2500, 9);
    const order = permutation(keys.length, 1, "order");
    const byBand = clusterer({ bands: BANDS });
    let most = 0;
    for (let band = 0; band < BANDS; band++) {
      for (const document of order) byBand.addBand(band, document, keys[document]!, 2 * band);
      most = Math.max(most, byBand.bytes);
      byBand.endBand(band);
    }
    const whole = clusterer({ bands: BANDS });
    for (const document of order) whole.add(document, keys[document]!);
    expect(byBand.clusters(keys.length)).toEqual(whole.clusters(keys.length));
    expect(most).toBeLessThan(whole.bytes / 2);
  });

  test("take less than 2 KB a document at fineweb's 14 bands, with confirmation too", () => {
    const random = rng(3, "memory");
    const n = 8000;
    for (const confirm of [undefined, () => true]) {
      const made = clusterer({ bands: 14, ...(confirm === undefined ? {} : { confirm }) });
      const keys = new Uint32Array(28);
      for (let document = 0; document < n; document++) {
        for (let i = 0; i < 28; i++) keys[i] = random.word();
        made.add(document, keys);
      }
      expect(made.bytes / n).toBeLessThan(1000);
    }
  });

  test("documents that were never added are alone", () => {
    const made = clusterer({ bands: 1 });
    made.add(3, Uint32Array.of(7, 7));
    made.add(5, Uint32Array.of(7, 7));
    expect([...made.clusters(7)]).toEqual([0, 1, 2, 3, 4, 3, 6]);
  });

  test("a document that comes twice is refused where candidates are linked", () => {
    const made = clusterer({ bands: 1, confirm: () => false });
    for (const document of [0, 1]) made.add(document, Uint32Array.of(7, 7));
    expect(() => made.add(0, Uint32Array.of(7, 7))).toThrow(DataError);
  });

  test("keys of another number of bands and wrong bands are refused", () => {
    expect(() => clusterer({ bands: 0 })).toThrow(ConfigError);
    const made = clusterer({ bands: 2 });
    expect(() => made.add(0, new Uint32Array(6))).toThrow(DataError);
    expect(() => made.addBand(2, 0, new Uint32Array(6), 4)).toThrow(ConfigError);
    expect(() => made.addBand(1, 0, new Uint32Array(3), 2)).toThrow(DataError);
  });
});

test("disjoint sets are named by their least member, whatever the order of unions", () => {
  const pairs = [
    [9, 4],
    [4, 7],
    [2, 3],
    [3, 9],
    [5, 5],
  ] as const;
  for (let seed = 0; seed < 20; seed++) {
    const sets = disjointSets();
    for (const i of permutation(pairs.length, seed, "pairs")) sets.union(pairs[i]![0], pairs[i]![1]);
    expect([...sets.roots(10)]).toEqual([0, 1, 2, 2, 2, 5, 6, 2, 8, 2]);
  }
});

test("sizes of clusters leave out documents that are alone", () => {
  expect([...clusterSizes(Uint32Array.of(0, 1, 0, 1, 4, 0))]).toEqual([
    [0, 3],
    [1, 2],
  ]);
});

describe("on planted near duplicates", () => {
  const random = rng(11, "planted");
  const vocabulary = Array.from({ length: 3000 }, () => `v${random.word().toString(36)}`);
  const draw = (): string => vocabulary[random.int(vocabulary.length)]!;
  const texts: string[] = [];
  const origins: number[] = [];
  for (let i = 0; i < 600; i++) {
    const words = Array.from({ length: 80 + random.int(200) }, draw);
    for (let copy = 0; copy < (i % 3 === 0 ? 2 + random.int(3) : 1); copy++) {
      // The original, and copies with one word in 90 changed.
      texts.push(words.map((word) => (copy > 0 && random.int(90) === 0 ? draw() : word)).join(" "));
      origins.push(i);
    }
  }
  const { keys, bands } = signer();
  const found = (confirm?: (a: number, b: number) => boolean): Uint32Array => {
    const made = clusterer({ bands, ...(confirm === undefined ? {} : { confirm }) });
    for (const [document, text] of texts.entries()) made.add(document, keys(text));
    return made.clusters(texts.length);
  };
  const pairF1 = (clusters: Uint32Array): number => {
    let [right, told, planted] = [0, 0, 0];
    for (let a = 0; a < texts.length; a++)
      for (let b = 0; b < a; b++) {
        const [same, together] = [origins[a] === origins[b], clusters[a] === clusters[b]];
        if (same) planted++;
        if (together) told++;
        if (same && together) right++;
      }
    return (2 * right) / (told + planted);
  };

  test("pair F1 is at least 0.95", () => expect(pairF1(found())).toBeGreaterThan(0.95));

  test("confirmation by the exact similarity leaves only pairs above the threshold", () => {
    const sets = texts.map(shingleSets(5));
    const strict = found((a, b) => jaccard(sets[a]!, sets[b]!) >= 0.95);
    for (const [document, first] of strict.entries()) expect(origins[document]).toBe(origins[first]);
    expect(clusterSizes(strict).size).toBeLessThan(clusterSizes(found()).size);
    expect(found((a, b) => jaccard(sets[a]!, sets[b]!) >= 0)).toEqual(found());
  });
});
