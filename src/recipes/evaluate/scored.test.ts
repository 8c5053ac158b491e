import { describe, expect, test } from "vitest";
import { rankCorrelation } from "../../metrics/numbers/rankCorrelation.ts";
import { rankInfluences } from "../../metrics/numbers/rankInfluences.ts";
import { examplesToTell, hitDifference, lossDifference } from "../../search/noise.ts";
import { trainBpe } from "../../tokenizer/bpe/trainBpe.ts";
import { rng } from "../../util/rng.ts";
import { ofSums, pairsOf, textBlocks } from "./scored.ts";

const random = rng(3, "scored");
const noise = (): number => random.uniform() + random.uniform() - 1;
const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;
const spread = (values: readonly number[]): number =>
  Math.sqrt(mean(values.map((x) => (x - mean(values)) ** 2)));

/** Standard error by leaving one out at a time. */
const jackknife = (n: number, without: (left: number) => number): number =>
  spread(Array.from({ length: n }, (_, i) => without(i))) * Math.sqrt(n - 1);

const standardError = (numbers: ArrayLike<number>): number =>
  spread(Array.from(numbers)) / Math.sqrt(numbers.length);

describe("numbers whose mean is a figure that is none", () => {
  test("a ratio of sums, with its standard error", () => {
    const rows = Array.from({ length: 80 }, () => [3 + noise(), 2 + noise()] as const);
    const about = { name: "x", better: "less", example: "row", keys: rows.map((_, i) => `${i}`) } as const;
    const ratio = (some: typeof rows) => mean(some.map(([p]) => p)) / mean(some.map(([, w]) => w));
    const numbers = ofSums(rows, about).numbers(rows.map((_, i) => i));
    expect(mean(numbers)).toBeCloseTo(ratio(rows), 6);
    const wanted = jackknife(80, (left) => ratio(rows.filter((_, i) => i !== left)));
    expect(standardError(numbers) / wanted).toBeCloseTo(1, 1);
  });

  test.each([
    ["apart", (x: number) => x],
    ["with equal ones", (x: number) => Math.round(2 * x)],
  ])("Spearman's correlation of numbers %s", (_, told) => {
    const a = Array.from({ length: 150 }, noise);
    const b = a.map((x) => told(x + 0.7 * noise()));
    const numbers = rankInfluences(a, b);
    expect(mean(numbers)).toBeCloseTo(rankCorrelation(a, b), 10);
    const others = (list: readonly number[], left: number) => list.filter((_, i) => i !== left);
    const wanted = jackknife(150, (left) => rankCorrelation(others(a, left), others(b, left)));
    // Of equal numbers a little too wide, for the spread of the ranks is taken as known.
    expect(standardError(numbers) / wanted).toBeGreaterThan(0.97);
    expect(standardError(numbers) / wanted).toBeLessThan(1.08);
    expect(
      rankInfluences(
        a,
        a.map(() => 1),
      ),
    ).toEqual(a.map(() => 0));
  });
});

describe("running text", () => {
  const text = Array.from({ length: 400 }, (_, i) => `the ${["cat", "dog", "river"][i % 3]} ran ${i}.`).join(
    " ",
  );
  const read = (vocab: number) => {
    const tokenizer = trainBpe([text], { vocab });
    const [first, ...ids] = tokenizer.encode(text);
    return textBlocks(
      first!,
      ids.map((id) => ({ id, nats: Math.LN2 * tokenizer.bytesOf(id).length })),
      tokenizer,
    );
  };

  test("models of different tokenizers read the same blocks, and a bit a byte is one in each", () => {
    const [few, many] = [read(260), read(400)];
    expect(few.keys).toEqual(many.keys);
    expect(few.keys).toHaveLength(Math.floor(text.length / 256));
    const pairs = pairsOf(few, many);
    for (const [scored, places] of [
      [few, pairs.a],
      [many, pairs.b],
    ] as const) {
      for (const x of scored.numbers(places)) expect(x).toBeCloseTo(1, 5);
    }
  });

  test("pairs are of what both have, wherever it stands", () => {
    const of = (keys: readonly string[]) => ({ ...read(260), keys });
    expect(pairsOf(of(["a", "b", "c"]), of(["c", "x", "a"]))).toEqual({ a: [0, 2], b: [2, 0] });
  });
});

test("how many examples would tell a figure from a limit", () => {
  const measured = { value: 0.97, low: 0.95, high: 0.99, n: 400 };
  expect(examplesToTell(measured, 0.98)).toBe(1600);
  expect(examplesToTell(measured, 0.95)).toBe(400);
  expect(examplesToTell(measured, 0.97)).toBe(Number.POSITIVE_INFINITY);
});

test("hits and misses: the interval stays open where two always agree, and is that of pairs of many", () => {
  const hits = (n: number, missed: (i: number) => boolean) =>
    Float32Array.from({ length: n }, (_, i) => Number(!missed(i)));
  const same = hits(100, (i) => i % 5 === 0);
  expect(hitDifference(same, same)).toMatchObject({ mean: 0, n: 100 });
  expect(hitDifference(same, same)!.standardError).toBeCloseTo(1 / 102, 6);
  const [a, b] = [hits(5000, (i) => i % 9 === 0), hits(5000, (i) => i % 7 === 0)];
  const [told, pairs] = [hitDifference(a, b)!, lossDifference(a, b)];
  expect(told.mean).toBe(pairs.mean);
  expect(told.standardError / pairs.standardError).toBeCloseTo(1, 2);
  expect(
    hitDifference(
      a,
      a.map((x) => x / 2),
    ),
  ).toBeUndefined();
});
