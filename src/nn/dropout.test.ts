import { beforeAll, describe, expect, test } from "vitest";
import { grad } from "../autodiff/grad.ts";
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import { input } from "../ir/op.ts";
import { trace } from "../ir/program.ts";
import { tensorOf } from "../ir/tensor.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import { sum } from "../ops/structure.ts";
import { dropout } from "./dropout.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const N = 20_000;
const values = Array.from({ length: N }, (_, i) => 1 + (i % 7));

/** Outputs and gradients of two sites at a seed. */
const drop = async (rate: number, seeds: readonly number[], shape: readonly number[] = [N]) => {
  const program = trace(
    { x: { dtype: "float32" as const, shape }, seed: { dtype: "int32" as const, shape: [] } },
    ({ x, seed }) => {
      const [a, b] = [dropout(x, rate, "a", seed), dropout(x, rate, "b", seed)];
      return { a, b, g: grad(sum(a), x) };
    },
  );
  const session = await compile(engine, program);
  const runs: Record<"a" | "b" | "g", number[]>[] = [];
  for (const seed of seeds) {
    const out = await session.run({
      x: tensorOf("float32", shape, values),
      seed: tensorOf("int32", [], [seed]),
    });
    const list = (name: string): number[] => Array.from(out[name]!.data as Float32Array);
    runs.push({ a: list("a"), b: list("b"), g: list("g") });
  }
  await session.dispose();
  return runs;
};

const kept = (xs: readonly number[]): boolean[] => xs.map((v) => v !== 0);
const share = (xs: readonly boolean[]): number => xs.filter(Boolean).length / xs.length;

describe("dropout", () => {
  test.each([0.1, 0.5, 0.9])("at rate %f keeps its share, scales it, and the mean stays", async (rate) => {
    const { a } = (await drop(rate, [1]))[0]!;
    const bound = 4 * Math.sqrt((rate * (1 - rate)) / N);
    expect(Math.abs(share(kept(a)) - (1 - rate))).toBeLessThan(bound);
    a.forEach((v, i) => {
      if (v !== 0) expect(v / values[i]!).toBeCloseTo(1 / (1 - rate), 4);
    });
  });

  test("keeps elements independently of their neighbours, rows and position", async () => {
    const { a } = (await drop(0.5, [3], [200, 100]))[0]!;
    const mask = kept(a);
    const agree = (by: number): number => share(mask.slice(by).map((k, i) => k === mask[i]));
    for (const by of [1, 2, 7, 64, 100, 128])
      expect(Math.abs(agree(by) - 0.5)).toBeLessThan(2.5 / Math.sqrt(N));
    for (let part = 0; part < 4; part++) {
      expect(Math.abs(share(mask.slice((part * N) / 4, ((part + 1) * N) / 4)) - 0.5)).toBeLessThan(
        4 / Math.sqrt(N),
      );
    }
  });

  test("is the same for the same seed and site, another for another", async () => {
    const [one, again, other] = await drop(0.5, [5, 5, 6]);
    expect(again).toEqual(one);
    const half = (p: number[], q: number[]): void => {
      const [k, l] = [kept(p), kept(q)];
      expect(Math.abs(share(k.map((v, i) => v === l[i])) - 0.5)).toBeLessThan(2.5 / Math.sqrt(N));
    };
    half(one!.a, other!.a);
    half(one!.a, one!.b);
  });

  test("the gradient flows where elements are kept, scaled alike, and nowhere else", async () => {
    const { a, g } = (await drop(0.3, [9]))[0]!;
    expect(kept(g)).toEqual(kept(a));
    g.forEach((v) => {
      if (v !== 0) expect(v).toBeCloseTo(1 / 0.7, 5);
    });
  });

  test("without a seed, or at rate 0, it is not there", () => {
    const x = input("x", { dtype: "float32", shape: [3] });
    const seed = input("seed", { dtype: "int32", shape: [] });
    expect(dropout(x, 0.5, "a")).toBe(x);
    expect(dropout(x, 0, "a", seed)).toBe(x);
  });
});
