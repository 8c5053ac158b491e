import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { permutation, philox4x32, rng, streamOf } from "./rng.ts";

const words = (hex: string): number[] => hex.split(" ").map((w) => Number.parseInt(w, 16));

describe("philox4x32-10", () => {
  /** The known answers of Random123 1.14 (tests/kat_vectors). */
  test.each([
    ["00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    ["ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"],
    ["243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"],
  ])("counter %s, key %s", (counter, key, answer) => {
    expect(philox4x32(words(counter), words(key) as [number, number])).toEqual(words(answer));
  });
});

const draws = <T>(n: number, draw: () => T): T[] => Array.from({ length: n }, () => draw());
const mean = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0) / xs.length;

describe("rng", () => {
  test("is a pure function of seed, name and position", () => {
    const take = (seed: number, name: string, position?: number) => draws(8, rng(seed, name, position).word);
    expect(take(1, "a")).toEqual(take(1, "a"));
    expect(take(1, "a")).not.toEqual(take(2, "a"));
    expect(take(1, "a")).not.toEqual(take(1, "b"));
    expect(take(1, "a")).not.toEqual(take(1 + 2 ** 32, "a"));
    expect(take(1, "a", 2)).toEqual(draws(16, rng(1, "a").word).slice(8));
  });

  test("positions past 2^32 blocks are others", () => {
    expect(rng(1, "a", 2 ** 32).word()).not.toBe(rng(1, "a", 0).word());
  });

  test("uniform: in [0, 1), mean 1/2, variance 1/12, even over 16 cells", () => {
    const xs = draws(20_000, rng(3, "uniform").uniform);
    expect(Math.min(...xs)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...xs)).toBeLessThan(1);
    expect(Math.abs(mean(xs) - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / xs.length));
    expect(mean(xs.map((x) => (x - 0.5) ** 2))).toBeCloseTo(1 / 12, 2);
    const cells = new Array<number>(16).fill(0);
    for (const x of xs) cells[Math.floor(x * 16)]!++;
    const expected = xs.length / 16;
    const chi2 = cells.reduce((s, n) => s + (n - expected) ** 2 / expected, 0);
    expect(chi2).toBeLessThan(37.7); // 15 degrees of freedom, p = 0.001
  });

  test("normal: moments of the standard normal, pairs uncorrelated", () => {
    const xs = draws(20_000, rng(4, "normal").normal);
    const bound = 4 / Math.sqrt(xs.length);
    expect(Math.abs(mean(xs))).toBeLessThan(bound);
    expect(Math.abs(mean(xs.map((x) => x ** 2)) - 1)).toBeLessThan(bound * Math.SQRT2);
    expect(Math.abs(mean(xs.map((x) => x ** 3)))).toBeLessThan(bound * Math.sqrt(15));
    expect(Math.abs(mean(xs.map((x) => x ** 4)) - 3)).toBeLessThan(bound * Math.sqrt(96));
    expect(Math.abs(mean(xs.slice(1).map((x, i) => x * xs[i]!)))).toBeLessThan(bound);
    expect(mean(xs.map((x) => Number(Math.abs(x) < 1)))).toBeCloseTo(0.6827, 1);
  });

  test("int stays in its range and reaches all of it", () => {
    const random = rng(5, "int");
    expect(new Set(draws(500, () => random.int(7)))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6]));
    expect(new Set(draws(20, () => random.int(1)))).toEqual(new Set([0]));
  });

  test("streams of different names differ", () => {
    const names = Array.from({ length: 2000 }, (_, i) => `transformer.h.${i}.attn.c_attn.weight`);
    expect(new Set(names.map(streamOf)).size).toBe(names.length);
  });
});

describe("permutation", () => {
  test("holds each number once, and is the same for the same seed and name", () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(), fc.string(), (n, seed, name) => {
        const order = permutation(n, seed, name);
        expect(Array.from(order).sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
        expect(permutation(n, seed, name)).toEqual(order);
      }),
    );
  });

  test("differs between seeds and between names", () => {
    expect(permutation(50, 1, "epoch/0")).not.toEqual(permutation(50, 2, "epoch/0"));
    expect(permutation(50, 1, "epoch/0")).not.toEqual(permutation(50, 1, "epoch/1"));
  });

  test("of three is each of the six orders about equally often", () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 3000; seed++) {
      const key = permutation(3, seed, "p").join("");
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const n of counts.values()) expect(Math.abs(n - 500)).toBeLessThan(100);
  });
});
