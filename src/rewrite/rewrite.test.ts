import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../engine/engine.ts";
import { toOnnx } from "../formats/onnx/lower.ts";
import { encodeOnnx } from "../formats/onnx/onnx.ts";
import { constant, input, isConstant, type Value } from "../ir/op.ts";
import { nodesOf, type Program, print } from "../ir/program.ts";
import { scalar, type Tensor, type TensorType, tensor, tensorOf } from "../ir/tensor.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import { add, cast, div, exp, mul, neg, sub, tanh } from "../ops/elementwise.ts";
import { matmul } from "../ops/linalg.ts";
import { uniform } from "../ops/random.ts";
import { split, sum, transpose } from "../ops/structure.ts";
import { cse, fold, optimize } from "./index.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const f32 = (...shape: number[]): TensorType => ({ dtype: "float32", shape });
const x = input("x", f32(3, 3));
const y = input("y", f32(3, 3));
const program = (outputs: Program["outputs"]): Program => ({ inputs: { x, y }, outputs });
const count = (p: Program, op?: string): number =>
  nodesOf(p).filter((node) => op === undefined || node.op.name === op).length;

const numbers = Array.from({ length: 9 }, (_, i) => Math.sin(i + 1));
const feeds: Record<string, Tensor> = {
  x: tensorOf("float32", [3, 3], numbers),
  y: tensorOf(
    "float32",
    [3, 3],
    numbers.map((v) => Math.cos(3 * v)),
  ),
};

const run = async (p: Program): Promise<Record<string, number[]>> => {
  const session = await engine.load(encodeOnnx(toOnnx(p)).model, { optimize: "none" });
  const out = await session.run(feeds);
  await session.dispose();
  return Object.fromEntries(
    Object.entries(out).map(([name, t]) => [name, Array.from(t.data as Float32Array, Number)]),
  );
};

describe("cse", () => {
  test("makes equal computations one, and their users too", () => {
    const a = exp(add(x, y));
    const b = exp(add(x, y));
    const p = cse(program({ out: mul(a, b) }));
    expect([count(p, "add"), count(p, "exp"), count(p, "mul")]).toEqual([1, 1, 1]);
  });

  test("tells attributes, inputs, their order and outputs apart", () => {
    const [first, second, third] = split(x, 0, 3) as [Value, Value, Value];
    const outputs = {
      axes: [sum(x, [0]), sum(x, [1]), sum(x, [0], true)],
      order: [sub(x, y), sub(y, x)],
      parts: [neg(first), neg(second), neg(third)],
    };
    const p = cse(program(outputs));
    expect([count(p, "sum"), count(p, "sub"), count(p, "neg")]).toEqual([3, 2, 3]);
  });

  test("joins equal small constants, but not of other dtypes, shapes or values", () => {
    const joined = cse(program([add(x, 2), add(y, 2)]));
    expect(count(joined, "constant")).toBe(1);
    const constants = [
      tensorOf("float32", [], [2]),
      tensorOf("float32", [1], [2]),
      tensorOf("float32", [], [3]),
      tensorOf("int32", [], [2]),
    ];
    expect(count(cse(program(constants.map((t) => constant(t)))), "constant")).toBe(4);
  });

  test("joins large constants of one buffer, not those of equal numbers in two", () => {
    const data = Float32Array.from({ length: 100 }, (_, i) => i);
    const of = (array: Float32Array) => constant(tensor("float32", [100], array));
    expect(count(cse(program([of(data), of(data)])), "constant")).toBe(1);
    expect(count(cse(program([of(data), of(data.slice())])), "constant")).toBe(2);
  });

  test("does not take one buffer read as two dtypes for one constant", () => {
    const bits = new Uint16Array(100);
    const p = cse(
      program([constant(tensor("float16", [100], bits)), constant(tensor("uint16", [100], bits))]),
    );
    expect(count(p, "constant")).toBe(2);
  });

  test("leaves named constants and inputs their names", () => {
    const named = (name: string): Value => constant(scalar(1), name);
    const p = cse(program([add(x, named("a")), add(x, named("b"))]));
    const names = nodesOf(p).flatMap((n) => (isConstant(n) ? [n.attrs.name] : []));
    expect(names).toEqual(["a", "b"]);
    expect(p.inputs).toEqual({ x, y });
  });

  test("joins draws of one site and seed, not those of two sites", () => {
    const seed = input("seed", { dtype: "int32", shape: [] });
    const draws = [uniform(seed, "a", [4]), uniform(seed, "a", [4]), uniform(seed, "b", [4])];
    expect(count(cse({ inputs: { seed }, outputs: draws }), "uniform")).toBe(2);
  });

  test("leaves alone what has nothing in common", () => {
    const p = program({ out: matmul(tanh(x), y) });
    expect(print(cse(p))).toBe(print(p));
  });
});

describe("fold", () => {
  test("drops what changes nothing", () => {
    const same = [add(x, 0), add(0, x), sub(x, 0), mul(x, 1), mul(1, x), div(x, 1)];
    const p = fold(program(same));
    expect(p.outputs).toEqual(same.map(() => x));
  });

  test("keeps what does change: 0 - x, 1 / x, x * 0", () => {
    const p = fold(program([sub(0, x), div(1, x), mul(x, 0)]));
    expect([count(p, "sub"), count(p, "div"), count(p, "mul")]).toEqual([1, 1, 1]);
  });

  test("keeps a neutral operand that gives the shape", () => {
    const ones = constant(tensorOf("float32", [3, 3], new Array<number>(9).fill(1)));
    const p = fold(program({ out: mul(sum(x), ones) }));
    expect((p.outputs as { out: Value }).out.shape).toEqual([3, 3]);
  });

  test("computes constants", async () => {
    const c = (v: number): Value => constant(scalar(v));
    const p = fold(program({ out: add(x, mul(add(c(2), c(3)), div(c(1), c(2)))) }));
    expect([count(p, "add"), count(p, "mul"), count(p, "div")]).toEqual([1, 0, 0]);
    expect((await run(p)).out![0]).toBeCloseTo(numbers[0]! + 2.5, 6);
  });

  test("does not fold integers as if they were floats", async () => {
    const int = (v: number): Value => constant(tensorOf("int32", [], [v]));
    const p = fold(program({ out: cast(div(int(7), int(2)), "float32") }));
    expect((await run(p)).out).toEqual([3]);
  });

  test("takes transposes into products", () => {
    const p = fold(program({ out: matmul(transpose(x, [1, 0]), transpose(y, [1, 0])) }));
    expect([count(p, "transpose"), count(p, "matmul")]).toEqual([0, 1]);
  });
});

/** A program from a list of choices, full of repeats, neutral elements and constants. */
const build = (choices: readonly (readonly [op: number, a: number, b: number])[]): Program => {
  const pool: Value[] = [
    x,
    y,
    constant(scalar(0)),
    constant(scalar(1)),
    constant(scalar(0.5)),
    transpose(x, [1, 0]),
  ];
  const ops: ((a: Value, b: Value) => Value)[] = [
    add,
    sub,
    mul,
    (a) => tanh(a),
    (a) => neg(a),
    (a, b) => add(mul(a, 1), sub(b, 0)),
    (a, b) => (a.shape.length === 2 && b.shape.length === 2 ? matmul(a, b, { alpha: 0.3 }) : add(a, b)),
    (a) => (a.shape.length === 2 ? transpose(a, [1, 0]) : a),
  ];
  for (const [op, a, b] of choices) {
    pool.push(tanh(ops[op % ops.length]!(pool[a % pool.length]!, pool[b % pool.length]!)));
  }
  return program({ last: pool.at(-1)!, all: pool.slice(6).map((v) => sum(v)) });
};

test("any program keeps its results, in no more nodes, and is rewritten in one go", async () => {
  const choice = fc.tuple(fc.nat(63), fc.nat(63), fc.nat(63));
  await fc.assert(
    fc.asyncProperty(fc.array(choice, { minLength: 1, maxLength: 12 }), async (choices) => {
      const before = build(choices);
      const after = optimize(before);
      expect(count(after)).toBeLessThanOrEqual(count(before));
      expect(print(optimize(after))).toBe(print(after));
      const [want, got] = [await run(before), await run(after)];
      expect(Object.keys(got)).toEqual(Object.keys(want));
      for (const [name, values] of Object.entries(want)) {
        values.forEach((v, i) => {
          expect(got[name]![i]!).toBeCloseTo(v, 4);
        });
      }
    }),
    { numRuns: 30 },
  );
});
