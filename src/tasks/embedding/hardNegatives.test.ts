import { beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../engine/engine.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { type HardNegativeOptions, hardNegatives } from "./hardNegatives.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

/** A vector of length 1 at an angle, degrees. */
const at = (degrees: number): Float32Array =>
  Float32Array.of(Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180));

// Cosines with the anchor at 0: 0.94 (its own), 0.98, 0.93, 0.87, 0.77, 0.5, 0.
const texts = [20, 10, 21, 30, 40, 60, 90].map(at);

const mined = (options: HardNegativeOptions, positives = [0]) =>
  hardNegatives(engine, { anchors: [at(0)], texts, positives: [positives] }, options).then(([own]) => own);

describe("hard negatives", () => {
  test("are the nearest that are no positives, by a margin", async () => {
    expect(await mined({ relativeMargin: 0, count: 2 })).toEqual([2, 3]);
    expect(await mined({ count: 2 })).toEqual([3, 4]);
    expect(await mined({ relativeMargin: 0, margin: 0.1, count: 2 })).toEqual([4, 5]);
    expect(await mined({ relativeMargin: 0, count: 2 }, [0, 2, 3])).toEqual([4, 5]);
  });

  test("may pass over the nearest, and look no further than told", async () => {
    expect(await mined({ rangeMin: 3, count: 2 })).toEqual([4, 5]);
    expect(await mined({ rangeMax: 4, count: 9 })).toEqual([3, 4]);
    expect(await mined({ rangeMax: 1 })).toEqual([]);
  });

  test("are those of a plain search, for many anchors", async () => {
    const many = Array.from({ length: 150 }, (_, i) => at((i * 37) % 180));
    const positives = many.map((_, i) => [i]);
    const given = { anchors: many, texts: many, positives };
    const found = await hardNegatives(engine, given, { relativeMargin: 0.02 });
    const cosine = (a: Float32Array, b: Float32Array) => a[0]! * b[0]! + a[1]! * b[1]!;
    for (const [i, own] of found.entries()) {
      const limit = 0.98 * cosine(many[i]!, many[i]!) + 1e-6;
      expect(own).toHaveLength(3);
      for (const k of own) expect(cosine(many[i]!, many[k]!)).toBeLessThanOrEqual(limit);
    }
    expect(await hardNegatives(engine, given, { relativeMargin: 0.02 })).toEqual(found);
  });
});
