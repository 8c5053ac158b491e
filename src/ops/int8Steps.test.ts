import { beforeAll, describe, expect, test } from "vitest";
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import { constant } from "../ir/op.ts";
import { nodesOf, trace } from "../ir/program.ts";
import { tensor, tensorOf } from "../ir/tensor.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import { optimize } from "../rewrite/index.ts";
import { rng } from "../util/rng.ts";
import { int8StepMatmul, stepRounded } from "./int8Steps.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const [K, N] = [70, 5];
const random = rng(23, "steps");
const draw = (n: number, low: number, high: number): number[] =>
  Array.from({ length: n }, () => low + (high - low) * random.uniform());
const steps = draw(K, 0.001, 0.02);
const by = { steps, zero: 90 };
const q = draw(K * N, -64, 65).map(Math.floor);
const parts = {
  q: constant(tensor("int8", [K, N], Int8Array.from(q))),
  scale: constant(tensorOf("float32", [N], draw(N, 0.5, 2))),
};
const bias = constant(tensorOf("float32", [N], draw(N, -1, 1)));

/** Rows of inputs, each from a little below to a little above what its codes reach. */
const rowsOf = (count: number): number[][] =>
  Array.from({ length: count }, () => steps.map((s) => s * (-100 + 280 * random.uniform())));

const run = async (rows: readonly (readonly number[])[]) => {
  const types = { x: { dtype: "float32" as const, shape: [rows.length, K] } };
  const program = trace(types, ({ x }) => ({
    product: int8StepMatmul(x, parts, by, bias),
    read: stepRounded(x, by),
  }));
  const session = await compile(engine, program);
  const { product, read } = await session.run({ x: tensorOf("float32", [rows.length, K], rows.flat()) });
  await session.dispose();
  return { product: Array.from(product!.data as Float32Array), read: Array.from(read!.data as Float32Array) };
};

describe("a product by steps", () => {
  test("reads the nearest code of each input, the ends where it is farther out", async () => {
    const rows = rowsOf(4);
    const { read } = await run(rows);
    let beyond = 0;
    for (const [at, x] of rows.flat().entries()) {
      const s = steps[at % K]!;
      const within = Math.min((255 - by.zero) * s, Math.max(-by.zero * s, x));
      if (within !== x) beyond++;
      expect(Math.abs(read[at]! - within)).toBeLessThanOrEqual(s * 0.5001);
    }
    expect(beyond).toBeGreaterThan(10);
  });

  test("multiplies what it reads, and adds the bias", async () => {
    const rows = rowsOf(3);
    const { product, read } = await run(rows);
    const [scale, added] = [parts.scale, bias].map(
      (v) => (v.node.attrs as { value: { data: Float32Array } }).value.data,
    );
    for (const [at, got] of product.entries()) {
      const [row, j] = [Math.floor(at / N), at % N];
      let want = added![j]!;
      for (let i = 0; i < K; i++) want += (read[row * K + i]! / steps[i]!) * q[i * N + j]! * scale![j]!;
      expect(Math.abs(got - want)).toBeLessThan(1e-4 * (1 + Math.abs(want)));
    }
  });

  test("gives a row the same, bit for bit, alone and beside others", async () => {
    const rows = rowsOf(6);
    const { product } = await run(rows);
    for (const [row, own] of rows.entries()) {
      expect((await run([own])).product).toEqual(product.slice(row * N, (row + 1) * N));
    }
  });

  test("shares the codes of one x with others by the same steps", () => {
    const types = { x: { dtype: "float32" as const, shape: [2, K] } };
    const codesIn = (others: typeof by): number => {
      const program = trace(types, ({ x }) => [
        int8StepMatmul(x, parts, by),
        int8StepMatmul(x, parts, others),
      ]);
      return nodesOf(optimize(program)).filter(({ op }) => op.name === "stepCodes").length;
    };
    expect(codesIn({ ...by, steps: [...steps] })).toBe(1);
    expect(codesIn({ ...by, zero: 91 })).toBe(2);
  });
});
