import { beforeAll, describe, expect, test } from "vitest";
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import type { Op, Value } from "../ir/op.ts";
import { apply, input } from "../ir/op.ts";
import { nodesOf, trace } from "../ir/program.ts";
import { type TensorType, tensorOf } from "../ir/tensor.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import { add, exp, lift, mul, sign, sin, tanh } from "../ops/elementwise.ts";
import { matmul } from "../ops/linalg.ts";
import { slice, split, sum } from "../ops/structure.ts";
import { ShapeError } from "../util/errors.ts";
import type { Tree } from "../util/tree.ts";
import { grad, vjp } from "./grad.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const f32 = (...shape: number[]): TensorType => ({ dtype: "float32", shape });
type Given = Record<string, Value>;

/** The outputs of `fn` at x. */
const run = async (fn: (given: Given) => Tree<Value>, x: readonly number[], y: readonly number[] = []) => {
  const spec = { x: f32(x.length), ...(y.length > 0 ? { y: f32(y.length) } : {}) };
  const program = trace(spec, (given) => fn(given as Given));
  const session = await compile(engine, program);
  const out = await session.run({
    x: tensorOf("float32", [x.length], x),
    y: tensorOf("float32", [y.length], y),
  });
  await session.dispose();
  return Object.fromEntries(
    Object.entries(out).map(([name, t]) => [name, Array.from(t.data as Float32Array)]),
  );
};

describe("grad", () => {
  test("of a leaf that the loss does not use is zeros of its shape", async () => {
    const out = await run(({ x, y }) => ({ g: grad(sum(mul(x!, x!)), { x: x!, y: y! }) }), [1, 2], [5, 6, 7]);
    expect(out).toEqual({ "g.x": [2, 4], "g.y": [0, 0, 0] });
  });

  test("of a leaf reached only through a discrete op is zeros", async () => {
    const out = await run(({ x }) => ({ g: grad(sum(mul(sign(x!), 3)), x!) }), [1, 2]);
    expect(out.g).toEqual([0, 0]);
  });

  test("adds what comes over several paths", async () => {
    // (x + x) * x + x, twice through one node: d/dx = 4x + 1
    const out = await run(
      ({ x }) => {
        const twice = add(x!, x!);
        return { g: grad(sum(add(mul(twice, x!), x!)), x!) };
      },
      [1, -2, 3],
    );
    expect(out.g).toEqual([5, -7, 13]);
  });

  test("of a diamond visits the shared node once", () => {
    let calls = 0;
    const counting: Op<[Value], Record<never, never>, [Value]> = {
      name: "counting",
      infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
      vjp: ([g]) => {
        calls++;
        return [g];
      },
      onnx: "Identity",
    };
    const x = input("x", f32(2));
    const [shared] = apply(counting, [x], {});
    grad(sum(add(mul(shared, shared), exp(shared))), x);
    expect(calls).toBe(1);
  });

  test("with respect to an intermediate value stops there", async () => {
    const out = await run(
      ({ x }) => {
        const h = mul(x!, 3);
        return { g: grad(sum(mul(h, h)), { h, x: x! }) };
      },
      [1, 2],
    );
    expect(out["g.h"]).toEqual([6, 12]);
    expect(out["g.x"]).toEqual([18, 36]);
  });

  test("of the loss itself is one", async () => {
    const out = await run(
      ({ x }) => {
        const loss = sum(x!);
        return { g: grad(loss, loss) };
      },
      [1, 2],
    );
    expect(out.g).toEqual([1]);
  });

  test("refuses a loss that is not a scalar, naming its shape", () => {
    const x = input("x", f32(2, 3));
    expect(() => grad(x, x)).toThrow(ShapeError);
    expect(() => grad(x, x)).toThrow(/scalar loss, not \[2, 3\]/);
  });

  test("does not ask ops beside the path for a gradient", () => {
    const fixed: Op<[Value], Record<never, never>, [Value]> = {
      name: "fixed",
      infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
      onnx: "Identity",
    };
    const [x, y] = [input("x", f32(2)), input("y", f32(2))];
    const loss = sum(mul(apply(fixed, [y], {})[0], x));
    expect(grad(loss, x).shape).toEqual([2]);
    expect(() => grad(loss, y)).toThrow(/fixed has no gradient/);
  });

  test("keeps the tree of what it is taken to", () => {
    const [a, b] = [input("a", f32(2)), input("b", f32(3))];
    const tree = { h: [{ weight: a }, { weight: b }] };
    const g = grad(add(sum(a), sum(b)), tree);
    expect(g.h.map((layer) => layer.weight.shape)).toEqual([[2], [3]]);
  });

  test("a third derivative: (sin x)''' = -cos x", async () => {
    const out = await run(
      ({ x }) => {
        const first = grad(sum(sin(x!)), x!);
        const second = grad(sum(first), x!);
        return { g: grad(sum(second), x!) };
      },
      [0.3, 1.2],
    );
    expect(out.g![0]).toBeCloseTo(-Math.cos(0.3), 6);
    expect(out.g![1]).toBeCloseTo(-Math.cos(1.2), 6);
  });

  test("a chain of 5000 nodes does not overflow the stack, and stays right", async () => {
    const out = await run(
      ({ x }) => {
        let y = x!;
        for (let i = 0; i < 5000; i++) y = mul(y, i % 2 === 0 ? 2 : 0.5);
        return { g: grad(sum(y), x!) };
      },
      [1, 2],
    );
    expect(out.g).toEqual([1, 1]);
  });

  test("cost is linear in the program: no node is differentiated twice", () => {
    let x = input("x", f32(2));
    const start = x;
    for (let i = 0; i < 60; i++) x = add(x, x); // 2^60 paths
    const program = { inputs: { x: start }, outputs: { g: grad(sum(x), start) } };
    expect(nodesOf(program).length).toBeLessThan(400);
  });
});

describe("vjp", () => {
  test("of several outputs with their own cotangents", async () => {
    const out = await run(
      ({ x, y }) => {
        const square = mul(x!, x!);
        const cube = mul(square, x!);
        return { g: vjp([square, cube], [y!, mul(y!, 10)], x!) };
      },
      [1, 2],
      [1, 3],
    );
    // y * 2x + 10 y * 3x^2
    expect(out.g).toEqual([32, 372]);
  });

  test("an output that is another's input gets both cotangents", async () => {
    const out = await run(
      ({ x }) => {
        const h = mul(x!, 2);
        return { g: vjp([h, mul(h, h)], [lift(1, "float32"), lift(1, "float32")], h) };
      },
      [3],
    );
    expect(out.g).toEqual([13]);
  });

  test("of one output of an op of several leaves the others out", async () => {
    const out = await run(
      ({ x }) => {
        const [, second] = split(x!, 0, 2);
        return { g: grad(sum(mul(second!, second!)), x!) };
      },
      [1, 2, 3, 4],
    );
    expect(out.g).toEqual([0, 0, 6, 8]);
  });

  test("is the transpose of the jacobian: <c, J d> by two vjps equals finite differences", async () => {
    // Double backward (c -> J^T c is linear in c) gives the forward derivative J d.
    const out = await run(
      ({ x, y }) => {
        const f = (v: Value) => tanh(mul(v, slice(v, 0, 0, 1)));
        const back = vjp([f(x!)], [y!], x!);
        const d = sin(x!);
        return {
          jd: vjp([back], [d], y!),
          y0: f(x!),
          up: f(add(x!, mul(d, 0.01))),
          down: f(add(x!, mul(d, -0.01))),
        };
      },
      [0.5, -1, 0.8],
      [1, 1, 1],
    );
    out.jd!.forEach((v, i) => {
      expect(v).toBeCloseTo((out.up![i]! - out.down![i]!) / 0.02, 3);
    });
  });

  test("a matrix product's two gradients are products", () => {
    const [a, b] = [input("a", f32(2, 3)), input("b", f32(3, 4))];
    const [ga, gb] = vjp([matmul(a, b)], [input("c", f32(2, 4))], [a, b] as const);
    expect([ga.shape, gb.shape]).toEqual([
      [2, 3],
      [3, 4],
    ]);
    expect([ga.node.op.name, gb.node.op.name]).toEqual(["matmul", "matmul"]);
  });
});
