import { describe, expect, test } from "vitest";
import { ConfigError } from "../../util/errors.ts";
import { rng } from "../../util/rng.ts";
import { banding, bandings, candidateProbability, evenOdds } from "./bands.ts";
import { signer, similarity } from "./minhash.ts";
import { jaccard, shingleSets } from "./shingles.ts";

const randomWords = (count: number, seed: number): string[] => {
  const random = rng(seed, "minhash.test");
  return Array.from({ length: count }, () => `w${random.word().toString(36)}`);
};

/** Two texts with `either` shingles of 5 words, of which the share `s` is common, at the beginning. */
const pairOf = (s: number, seed: number, either = 200): [string, string] => {
  const common = Math.round(s * either);
  const own = (either - common) / 2;
  const words = randomWords(common + 4 + 2 * own, seed);
  const head = words.slice(0, common + 4);
  const a = [...head, ...words.slice(common + 4, common + 4 + own)];
  const b = [...head, ...words.slice(common + 4 + own)];
  return [a.join(" "), b.join(" ")];
};

const meets = (a: Uint32Array, b: Uint32Array): boolean => {
  for (let i = 0; i < a.length; i += 2) if (a[i] === b[i] && a[i + 1] === b[i + 1]) return true;
  return false;
};

const SIMILARITIES = [0.7, 0.75, 0.8, 0.85];
const PAIRS = 2500;

describe("the S-curve", () => {
  test("the planted pairs have the similarity that they claim", () => {
    const sets = shingleSets(5);
    for (const s of SIMILARITIES) {
      const [a, b] = pairOf(s, 1);
      expect(jaccard(sets(a), sets(b))).toBe(s);
    }
  });

  test.each(SIMILARITIES)(
    "fineweb's pairs of similarity %f meet as often as 1 - (1 - s^r)^b says",
    (s) => {
      const { keys } = signer();
      let met = 0;
      for (let i = 0; i < PAIRS; i++) {
        const [a, b] = pairOf(s, 1000 * s * PAIRS + i);
        if (meets(keys(a), keys(b))) met++;
      }
      expect(Math.abs(met / PAIRS - candidateProbability(s, bandings.fineweb))).toBeLessThan(0.03);
    },
    30_000,
  );

  test("holds for other bands, over many seeds of the permutations", () => {
    const [a, b] = pairOf(0.6, 7);
    const SEEDS = 1500;
    let met = 0;
    for (let seed = 0; seed < SEEDS; seed++) {
      const { keys } = signer({ bands: 5, rows: 3, seed });
      if (meets(keys(a), keys(b))) met++;
    }
    expect(Math.abs(met / SEEDS - candidateProbability(0.6, { bands: 5, rows: 3 }))).toBeLessThan(0.04);
  }, 30_000);

  test("pairs of few shingles follow it too", () => {
    const { keys } = signer();
    let met = 0;
    for (let i = 0; i < PAIRS; i++) {
      const [a, b] = pairOf(0.8, i, 20);
      if (meets(keys(a), keys(b))) met++;
    }
    expect(Math.abs(met / PAIRS - candidateProbability(0.8, bandings.fineweb))).toBeLessThan(0.03);
  });
});

describe("signatures", () => {
  test("the estimate of similarity is unbiased, with the variance of independent rows", () => {
    const rows = 256;
    const { signature } = signer({ bands: 16, rows: 16 });
    for (const s of [0.2, 0.5, 0.9]) {
      let [sum, squares] = [0, 0];
      const pairs = 400;
      for (let i = 0; i < pairs; i++) {
        const [a, b] = pairOf(s, i);
        const error = similarity(signature(a), signature(b)) - s;
        sum += error;
        squares += error * error;
      }
      const expected = (s * (1 - s)) / rows;
      expect(Math.abs(sum / pairs)).toBeLessThan(4 * Math.sqrt(expected / pairs));
      expect(squares / pairs / expected).toBeGreaterThan(0.75);
      expect(squares / pairs / expected).toBeLessThan(1.3);
    }
  });

  test("are functions of text, bands and seed", () => {
    const text = randomWords(50, 3).join(" ");
    expect(signer().signature(text)).toEqual(signer().signature(text));
    expect(signer({ seed: 2 }).signature(text)).not.toEqual(signer().signature(text));
    expect(signer().signature(text)).toHaveLength(112);
    expect(signer({ preset: "slimpajama" }).keys(text)).toHaveLength(18);
    expect(signer({ preset: "refinedweb" }).keys(text)).toHaveLength(900);
    expect(signer({ bands: 3, rows: 3 }).signature(text)).toHaveLength(9);
  });

  test("of known text under the default seed do not change between versions", () => {
    const { signature, keys } = signer({ bands: 1, rows: 2 });
    const text = "the quick brown fox jumps over the lazy dog";
    expect([...signature(text), ...keys(text)]).toMatchInlineSnapshot(`
      [
        3724675261,
        3753105823,
        1479585612,
        2534192390,
      ]
    `);
  });

  test("do not depend on the texts signed before", () => {
    const one = signer();
    const first = one.signature("a b c d e f g");
    one.signature("x ".repeat(9000));
    expect(one.signature("a b c d e f g")).toEqual(first);
  });

  test("keys of different bands differ, and are written where they are told", () => {
    const { keys } = signer();
    const text = randomWords(30, 5).join(" ");
    const made = keys(text);
    const pairs = Array.from({ length: 14 }, (_, i) => `${made[2 * i]}:${made[2 * i + 1]}`);
    expect(new Set(pairs).size).toBe(14);
    const room = new Uint32Array(40);
    keys(text, room.subarray(5, 33));
    expect(room.subarray(5, 33)).toEqual(made);
    expect(() => keys(text, new Uint32Array(27))).toThrow(ConfigError);
  });

  test("texts of fewer words than a shingle have no keys, and longer ones meet where their words are equal", () => {
    const { keys } = signer();
    for (const text of ["", "?", "C++", "hello world", "one two three four"])
      expect(keys(text).every((word) => word === 0)).toBe(true);
    expect(meets(keys("Hello, world: how are you"), keys("hello world! how are YOU?"))).toBe(true);
    expect(meets(keys("hello world how are you"), keys("hello world how are they"))).toBe(false);
  });

  test("signatures of different lengths are not compared", () => {
    expect(() => similarity(new Uint32Array(2), new Uint32Array(3))).toThrow(ConfigError);
  });
});

describe("bands", () => {
  test("presets are the published ones, and their numbers may be changed", () => {
    expect(banding()).toEqual({ bands: 14, rows: 8, ngram: 5 });
    expect(banding({ preset: "slimpajama" })).toEqual({ bands: 9, rows: 13, ngram: 13 });
    expect(banding({ preset: "refinedweb" })).toEqual({ bands: 450, rows: 20, ngram: 5 });
    expect(banding({ preset: "slimpajama", ngram: 7 })).toEqual({ bands: 9, rows: 13, ngram: 7 });
  });

  test("wrong ones are refused, with the field named", () => {
    const cases: [object, string][] = [
      [{ preset: "common" }, "preset"],
      [{ preset: "toString" }, "preset"],
      [{ bands: 0 }, "bands"],
      [{ rows: 2.5 }, "rows"],
      [{ ngram: Number.NaN }, "ngram"],
      [{ bands: 1e9 }, "bands"],
    ];
    for (const [options, field] of cases) expect(() => banding(options as never)).toThrow(`field "${field}"`);
  });

  test("the probability grows from 0 to 1 through the even odds", () => {
    const { fineweb } = bandings;
    expect(candidateProbability(0, fineweb)).toBe(0);
    expect(candidateProbability(1, fineweb)).toBe(1);
    expect(candidateProbability(0.8, fineweb)).toBeCloseTo(0.924, 3);
    expect(candidateProbability(evenOdds(fineweb), fineweb)).toBeCloseTo(0.5, 10);
  });
});
