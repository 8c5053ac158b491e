import { beforeAll, expect, test } from "vitest";
import { grad } from "../autodiff/index.ts";
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import type { Value } from "../ir/op.ts";
import { nodesOf, trace } from "../ir/program.ts";
import { type Dim, tensorOf } from "../ir/tensor.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import { optimize } from "../rewrite/index.ts";
import { rng } from "../util/rng.ts";
import { mul } from "./elementwise.ts";
import { rotated, rotatedBack, turnInPlace } from "./rotation.ts";
import { sum } from "./structure.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const [K, BLOCK, STRONG] = [48, 16, [3, 40]];
const by = { block: BLOCK, strong: STRONG };
const random = rng(5, "rotation");
const drawn = (n: number): number[] => Array.from({ length: n }, () => 2 * random.uniform() - 1);
const close = (got: ArrayLike<number>, want: ArrayLike<number>): void => {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; i++) expect(got[i]).toBeCloseTo(want[i]!, 5);
};
const weak = (row: readonly number[]): number[] => row.map((v, i) => (STRONG.includes(i % K) ? 0 : v));
const turned = (row: readonly number[]): Float32Array => {
  const data = Float32Array.from(row);
  turnInPlace(data, BLOCK);
  return data;
};

type Outputs = (x: Value) => Readonly<Record<string, Value>>;

const run = async (x: readonly number[], lead: readonly number[], type: readonly Dim[], outputs: Outputs) => {
  const given = { x: { dtype: "float32" as const, shape: [...type, K] } };
  const program = trace(given, ({ x }) => outputs(x));
  const session = await compile(engine, program);
  return session.run({ x: tensorOf("float32", [...lead, K], [...x]) });
};

test("turning spreads a number over its block, keeps lengths, and is undone by turning again", () => {
  const spike = new Float32Array(2 * BLOCK);
  spike[BLOCK + 5] = 4;
  turnInPlace(spike, BLOCK);
  expect(Array.from(spike.slice(0, BLOCK))).toEqual(new Array(BLOCK).fill(0));
  expect(Array.from(spike.slice(BLOCK), Math.abs)).toEqual(new Array(BLOCK).fill(1));
  turnInPlace(spike, BLOCK);
  expect(Array.from(spike)).toEqual(Array.from({ length: 2 * BLOCK }, (_, i) => (i === BLOCK + 5 ? 4 : 0)));
});

test("a graph turns rows as that does, strong inputs 0, and back; its gradient goes the way back", async () => {
  const x = drawn(6 * K);
  const { there, back, own } = await run(x, [2, 3], [2, 3], (v) => {
    const there = rotated(v, by);
    return { there, back: rotatedBack(there, by), own: grad(sum(mul(there, there)), [v])[0]! };
  });
  close(there!.data as Float32Array, turned(weak(x)));
  close(back!.data as Float32Array, weak(x));
  close(
    own!.data as Float32Array,
    weak(x).map((v) => 2 * v),
  );
});

test("no rows are turned into none", async () => {
  const { there } = await run([], [2, 0], ["B", "T"], (v) => ({ there: rotated(v, by) }));
  expect(there!.shape).toEqual([2, 0, K]);
});

test("equal turns of one x are one; a block that does not divide a row is refused", () => {
  const program = trace({ x: { dtype: "float32" as const, shape: [2, K] } }, ({ x }) => [
    rotated(x, by),
    rotated(x, { ...by, strong: [...STRONG] }),
    rotated(x, { ...by, strong: [] }),
  ]);
  expect(nodesOf(optimize(program)).filter(({ op }) => op.name === "rotation").length).toBe(2);
  trace({ x: { dtype: "float32" as const, shape: [2, K + 1] } }, ({ x }) => {
    expect(() => rotated(x, by)).toThrow("[2, 49] is no row of blocks of 16");
    return x;
  });
});
