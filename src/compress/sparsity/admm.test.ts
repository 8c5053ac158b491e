import { beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../engine/engine.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { rng } from "../../util/rng.ts";
import { dampedFactor, solveFactored } from "../rounding/cholesky.ts";
import type { Rows } from "../rounding/codes.ts";
import { outputError } from "../rounding/error.ts";
import { momentsOf } from "../rounding/moments.ts";
import { admm } from "./admm.ts";
import type { Pattern } from "./pattern.ts";
import { productsBy } from "./products.ts";
import { sparseGpt } from "./sparseGpt.ts";
import { wanda } from "./wanda.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const [N, K, COUNT] = [12, 40, 300];

/** A matrix, and inputs of unlike strength that go together; the last one is always 0. */
const drawn = () => {
  const random = rng(5, "admm");
  const rows: Rows = { n: N, k: K, values: Float32Array.from({ length: N * K }, () => random.normal()) };
  const strength = Float64Array.from({ length: K }, () => Math.exp(random.normal()));
  const x = Float64Array.from({ length: COUNT * K }, (_, i) => random.normal() * strength[i % K]!);
  for (let r = 0; r < COUNT; r++) {
    for (let i = 1; i < K; i++) x[r * K + i]! += 0.7 * x[r * K + i - 1]!;
    x[r * K + K - 1] = 0;
  }
  return { rows, moments: momentsOf(x, K) };
};

const patterns: readonly (readonly [string, Pattern])[] = [
  ["half", { share: 0.5 }],
  ["2 of 4", { zeros: 2, of: 4 }],
];

describe.each(patterns)("%s", (_, pattern) => {
  const { rows, moments } = drawn();
  const pruned = async (): Promise<Float32Array> => {
    const { times, dispose } = productsBy(engine);
    const values = await admm(rows, pattern, { moments, times });
    await dispose();
    return values;
  };

  test("has the zeros that were asked for, and loses far less than Wanda and less than SparseGPT", async () => {
    const values = await pruned();
    const size = "share" in pattern ? K : pattern.of;
    const zeros = "share" in pattern ? Math.floor(K * pattern.share) : pattern.zeros;
    for (let from = 0; from < N * K; from += size) {
      expect(values.subarray(from, from + size).filter((v) => v === 0).length).toBe(zeros);
    }
    const error = outputError(rows, values, moments);
    expect(error).toBeLessThan(0.5 * outputError(rows, wanda(rows, pattern, moments), moments));
    expect(error).toBeLessThan(0.8 * outputError(rows, sparseGpt(rows, pattern, moments).values, moments));
  });

  test("leaves hardly more than least squares would, of the numbers that stay", async () => {
    const values = await pruned();
    const norms = Float64Array.from(moments.squares, (s) => (s > 0 ? Math.sqrt(s) : 1));
    const at = (i: number, m: number): number =>
      i === m ? 1.01 : moments.gram[i * K + m]! / (norms[i]! * norms[m]!);
    const best = new Float32Array(N * K);
    for (let j = 0; j < N; j++) {
      const kept = Array.from({ length: K }, (_, i) => i).filter((i) => values[j * K + i] !== 0);
      const h = Float64Array.from(kept.flatMap((i) => kept.map((m) => at(i, m))));
      const b = Float64Array.from(kept, (i) =>
        norms.reduce((sum, norm, m) => sum + at(i, m) * rows.values[j * K + m]! * norm, 0),
      );
      solveFactored(dampedFactor(h, kept.length, 0).factor, b, { k: kept.length, n: 1 });
      for (const [place, i] of kept.entries()) best[j * K + i] = b[place]! / norms[i]!;
    }
    const least = outputError(rows, best, moments);
    expect(outputError(rows, values, moments)).toBeLessThan(1.05 * least);
  });
});
