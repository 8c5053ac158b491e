import { beforeAll, describe, expect, test } from "vitest";
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import { constant, isConstant, type Value } from "../ir/op.ts";
import { nodesOf, type Program, trace } from "../ir/program.ts";
import { type Tensor, tensor, tensorOf } from "../ir/tensor.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import { rng } from "../util/rng.ts";
import { projections } from "./fused.ts";
import { kinds } from "./kinds/index.ts";
import { type Projection, project } from "./linear.ts";
import { asConstants, dense, isPacked, type Param, type Weight } from "./param.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

/** Three 4-bit blocks: the bytes of their zeros are half full. */
const [K, ROWS] = [70, 3];
const INT4_BLOCK = 32;
const SIZES = [6, 2, 4];
const random = rng(5, "fused");
const draw = (n: number, low = -1, high = 1): number[] =>
  Array.from({ length: n }, () => low + (high - low) * random.uniform());
const INPUT = draw(2 * ROWS * K);
const floats = (...shape: number[]): Tensor =>
  tensorOf("float32", shape, draw(shape.reduce((a, b) => a * b)));

const bytes = (...shape: number[]): Tensor =>
  tensor(
    "uint8",
    shape,
    Uint8Array.from(
      draw(
        shape.reduce((a, b) => a * b),
        0,
        256,
      ).map(Math.floor),
    ),
  );

type Form = { digits: 0 | 1 | 2; strong: readonly number[] };

const int8 = (n: number, form: Form, unsigned = false): Weight => {
  const apart = (i: number): boolean => form.strong.includes(i);
  const q = draw(K * n, -63, 64).map((v, at) => (apart(Math.floor(at / n)) ? 0 : Math.floor(v)));
  const parts = {
    q: unsigned
      ? tensor(
          "uint8",
          [K, n],
          Uint8Array.from(q, (v) => v + 128),
        )
      : tensor("int8", [K, n], Int8Array.from(q)),
    scale: tensorOf("float32", [n], draw(n, 0.01, 0.02)),
    ...(form.strong.length === 0 ? {} : { rows: floats(form.strong.length, n) }),
  };
  return {
    ...{ dtype: "float32", shape: [n, K], layout: "nk", kind: kinds.int8 },
    parts,
    attrs: { ...form },
  };
};

const makers: Readonly<Record<string, (n: number) => Weight>> = {
  dense: (n) => floats(n, K),
  int8: (n) => int8(n, { digits: 2, strong: [] }),
  "int8 with strong inputs": (n) => int8(n, { digits: 1, strong: [1, 69] }),
  int4: (n) => {
    const [blocks, zeroBytes] = [Math.ceil(K / INT4_BLOCK), 2];
    return {
      ...{ dtype: "float32", shape: [n, K], layout: "nk", kind: kinds.int4 },
      parts: {
        q: bytes(n, blocks, 16),
        scale: tensorOf("float32", [n * blocks], draw(n * blocks, 0.05, 0.1)),
        zero: bytes(n * zeroBytes),
      },
    };
  },
};

type Parts = readonly Projection<Weight>[];

const paramsOf = (parts: Parts): Projection<Param>[] => asConstants(parts as never) as Projection<Param>[];

const programOf = (parts: Parts, make: (parts: Projection<Param>[], x: Value) => readonly Value[]): Program =>
  trace({ x: { dtype: "float32", shape: ["B", ROWS, K] } }, ({ x }) => ({
    y: make(paramsOf(parts), x),
  }));

const joinedProgram = (parts: Parts): Program =>
  programOf(parts, (params, x) => projections(params, x, "all"));
const apartProgram = (parts: Parts): Program =>
  programOf(parts, (params, x) =>
    params.map((p) => project(p.weight, x, p.bias === undefined ? undefined : dense(p.bias))),
  );

const run = async (program: Program): Promise<Record<string, Tensor>> => {
  const session = await compile(engine, program);
  const out = await session.run({ x: tensorOf("float32", [2, ROWS, K], INPUT) });
  await session.dispose();
  return out;
};

const products = (program: Program): number =>
  nodesOf(program).filter(({ op, inputs }) => op.isProduct === true && inputs[0]!.node.op.name !== "pick")
    .length;

const partsOf = (kinds: readonly string[], bias: boolean): Parts =>
  SIZES.map((n, i) => ({ weight: makers[kinds[i]!]!(n), ...(bias ? { bias: floats(n) } : {}) }));

/** The parts of each kind. */
const partNames: Readonly<Record<string, readonly string[]>> = {
  dense: [""],
  int8: [".q", ".scale"],
  "int8 with strong inputs": [".q", ".rows", ".scale"],
  int4: [".q", ".scale", ".zero"],
};

describe.each(Object.keys(partNames))("projections of %s weights", (kind) => {
  test.each([false, true])("are one product with the results of several; biases: %j", async (bias) => {
    const parts = partsOf([kind, kind, kind], bias);
    const [joined, apart] = [joinedProgram(parts), apartProgram(parts)];
    expect([products(joined), products(apart)]).toEqual([1, 3]);
    const [got, want] = [await run(joined), await run(apart)];
    for (const [i, n] of SIZES.entries()) {
      expect(got[`y.${i}`]!.shape).toEqual([2, ROWS, n]);
      const errors = Array.from(got[`y.${i}`]!.data as Float32Array, (v, j) =>
        Math.abs(v - (want[`y.${i}`]!.data[j] as number)),
      );
      expect(Math.max(...errors)).toBeLessThan(1e-5);
    }
  });

  test("has a constant named after the whole", () => {
    const names = nodesOf(joinedProgram(partsOf([kind, kind, kind], true)))
      .filter(isConstant)
      .map((node) => node.attrs.name);
    expect(names.sort()).toEqual(["all.bias", ...partNames[kind]!.map((part) => `all.weight${part}`)]);
  });
});

describe("what cannot be joined", () => {
  test.each([
    ["kinds that differ", partsOf(["dense", "int8", "int8"], false)],
    ["packed kinds that differ", partsOf(["int4", "int8", "int8"], false)],
    ["a last one that is packed otherwise", partsOf(["int8", "int8", "int4"], true)],
    [
      "a bias that is missing",
      partsOf(["dense", "dense", "dense"], true).map((p, i) => (i ? p : { weight: p.weight })),
    ],
  ])("%s: a product each", (_, parts) => {
    expect(products(joinedProgram(parts))).toBe(3);
  });

  const kinds: Readonly<Record<string, (n: number) => Weight>> = {
    ...makers,
    "one digit": (n) => int8(n, { digits: 1, strong: [] }),
    "other strong inputs": (n) => int8(n, { digits: 1, strong: [2, 69] }),
    unsigned: (n) => int8(n, { digits: 1, strong: [1, 69] }, true),
  };
  test.each([
    ["int8", "int8", "one digit"],
    ["one digit", "one digit", "int8 with strong inputs"],
    ["int8 with strong inputs", "other strong inputs", "int8 with strong inputs"],
    ["int8 with strong inputs", "unsigned", "unsigned"],
  ])("%s, %s and %s: a product each, with the results of several", async (...each) => {
    const parts = SIZES.map((n, i) => ({ weight: kinds[each[i]!]!(n) }));
    expect(products(joinedProgram(parts))).toBe(3);
    const [got, want] = [await run(joinedProgram(parts)), await run(apartProgram(parts))];
    for (const i of SIZES.keys()) expect(got[`y.${i}`]).toEqual(want[`y.${i}`]);
  });

  test("weights that are inputs: a product each", () => {
    const type = { dtype: "float32", shape: [4, K] } as const;
    const spec = { x: { dtype: "float32", shape: [2, K] }, w: [type, type] } as const;
    const program = trace(spec, ({ x, w }) => {
      return { y: projections([{ weight: w[0]! }, { weight: w[1]! }], x, "all") };
    });
    expect(products(program)).toBe(2);
  });
});

test("constants of a program stay what they were", () => {
  const weight = floats(2, K);
  const before = [...(weight.data as Float32Array)];
  const x = constant(floats(1, K));
  projections([{ weight: constant(weight) }, { weight: constant(weight) }], x, "all");
  expect([...(weight.data as Float32Array)]).toEqual(before);
  expect(isPacked(weight)).toBe(false);
});
