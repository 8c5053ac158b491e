import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { add, exp, mul } from "../ops/elementwise.ts";
import { split, sum } from "../ops/structure.ts";
import { ShapeError } from "../util/errors.ts";
import { constant, input, isConstant, type Value } from "./op.ts";
import { bindInputs, nodesOf, print, rewriteProgram, toposort, trace } from "./program.ts";
import { axisOf, broadcast, product } from "./shape.ts";
import {
  byteLength,
  bytesOf,
  type DType,
  scalar,
  sizeOf,
  type TensorType,
  tensor,
  tensorFromBytes,
  tensorOf,
  zeros,
} from "./tensor.ts";

const f32 = (...shape: (number | string)[]): TensorType => ({ dtype: "float32", shape });

describe("programs", () => {
  test("trace names inputs by their dotted paths", () => {
    const spec = { params: { h: [{ weight: f32(2) }] }, lr: f32() };
    const p = trace(spec, ({ params, lr }) => ({ out: mul(params.h[0]!.weight, lr) }));
    expect(print(p)).toBe(
      [
        "input params.h.0.weight: float32[2]",
        "input lr: float32[]",
        "%2 float32[2] = mul(params.h.0.weight, lr)",
        "output out = %2",
        "",
      ].join("\n"),
    );
  });

  test("toposort puts inputs before users and each node once", () => {
    const x = input("x", f32(4));
    const [a, b] = split(exp(x), 0, 2) as [Value, Value];
    const order = toposort([mul(add(a, b), a), b]);
    expect(new Set(order).size).toBe(order.length);
    order.forEach((node, i) => {
      for (const v of node.inputs) expect(order.indexOf(v.node)).toBeLessThan(i);
    });
    expect(order.map((n) => n.op.name)).toEqual(["input", "exp", "split", "add", "mul"]);
  });

  test("toposort of a random graph is in order", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(99), fc.nat(99)), { maxLength: 40 }), (pairs) => {
        const pool: Value[] = [input("x", f32(2))];
        for (const [i, j] of pairs) pool.push(add(pool[i % pool.length]!, pool[j % pool.length]!));
        const order = toposort([pool.at(-1)!]);
        const place = new Map(order.map((node, i) => [node, i]));
        expect(place.size).toBe(order.length);
        for (const node of order) {
          for (const v of node.inputs) expect(place.get(v.node)!).toBeLessThan(place.get(node)!);
        }
      }),
    );
  });

  test("toposort of a chain of 100,000 nodes does not overflow the stack", () => {
    let x = input("x", f32());
    for (let i = 0; i < 100_000; i++) x = exp(x);
    expect(toposort([x])).toHaveLength(100_001);
  });

  test("a program is what its outputs reach", () => {
    const p = trace({ x: f32(2), y: f32(2) }, ({ x, y }) => {
      exp(y);
      return { out: exp(x) };
    });
    expect(nodesOf(p)).toHaveLength(2);
  });

  test("bindInputs makes named constants of inputs and keeps the rest", () => {
    const p = trace({ w: f32(2), x: f32(2) }, ({ w, x }) => ({ out: mul(w, x) }));
    const bound = bindInputs(p, new Map([["w", tensorOf("float32", [2], [3, 4])]]));
    const constants = nodesOf(bound).filter(isConstant);
    expect(constants.map((n) => n.attrs.name)).toEqual(["w"]);
    expect(print(bound)).toContain("input x");
    expect(print(bound)).not.toContain("input w");
    expect(print(p)).toContain("input w");
  });

  test("rewriteProgram keeps what it does not change, node for node", () => {
    const p = trace({ x: f32(2) }, ({ x }) => ({ a: exp(x), b: sum(exp(exp(x))) }));
    const same = rewriteProgram(p, () => undefined);
    expect(nodesOf(same)).toEqual(nodesOf(p));
    expect((same.outputs as { a: Value }).a).toBe((p.outputs as { a: Value }).a);
  });

  test("print shows small constants by value, large ones by type", () => {
    const big = constant(zeros(f32(5)));
    const text = print({
      inputs: {},
      outputs: { a: constant(scalar(2)), big, named: constant(scalar(1), "w") },
    });
    expect(text).toContain("constant(value=float32[]{2})");
    expect(text).toContain("constant(value=float32[5])");
    expect(text).toContain("w float32[] = constant");
    expect(text).toContain("output named = w");
  });
});

describe("shapes", () => {
  test("broadcast follows numpy, and a name equals itself alone", () => {
    expect(broadcast([2, 1, 3], [4, 1], "t")).toEqual([2, 4, 3]);
    expect(broadcast([], [2, 3], "t")).toEqual([2, 3]);
    expect(broadcast(["B", 1], ["B", "T"], "t")).toEqual(["B", "T"]);
    expect(broadcast(["B"], [1], "t")).toEqual(["B"]);
    expect(() => broadcast(["B"], ["T"], "t")).toThrow(/t: dimension 0 is B in \[B\] and T in \[T\]/);
    expect(() => broadcast(["B"], [2], "t")).toThrow(ShapeError);
    expect(() => broadcast([3], [2], "t")).toThrow(ShapeError);
  });

  test("broadcast commutes and is associative where it is defined", () => {
    const shape = fc.array(fc.constantFrom(1, 3), { maxLength: 4 });
    fc.assert(
      fc.property(shape, shape, shape, (a, b, c) => {
        expect(broadcast(a, b, "t")).toEqual(broadcast(b, a, "t"));
        expect(broadcast(broadcast(a, b, "t"), c, "t")).toEqual(broadcast(a, broadcast(b, c, "t"), "t"));
      }),
    );
  });

  test("axes count from either end and must exist", () => {
    expect([axisOf(0, 3, "t"), axisOf(-1, 3, "t"), axisOf(-3, 3, "t")]).toEqual([0, 2, 0]);
    for (const axis of [3, -4, 0.5]) expect(() => axisOf(axis, 3, "t")).toThrow(/axis/);
  });

  test("a product of names is a name, whatever the numbers' order", () => {
    expect(product([2, 3])).toBe(6);
    expect(product(["B", 3, "T"])).toBe(product([3, "B", "T"]));
    expect(product(["B", 1])).toBe("B");
    expect(product([])).toBe(1);
  });
});

describe("tensors", () => {
  const dtypes: DType[] = [
    ...(["float32", "float16", "float64", "bfloat16", "bool"] as const),
    ...(["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"] as const),
  ];

  test.each(dtypes)("%s: bytes and back, aligned or not", (dtype) => {
    const t = tensorOf(dtype, [3], [1, 0, 1]);
    expect(bytesOf(t).byteLength).toBe(byteLength(t));
    expect(tensorFromBytes(dtype, [3], bytesOf(t))).toEqual(t);
    const shifted = new Uint8Array(byteLength(t) + 1);
    shifted.set(bytesOf(t), 1);
    expect(tensorFromBytes(dtype, [3], shifted.subarray(1))).toEqual(t);
  });

  test("an aligned view is no copy", () => {
    const t = tensorOf("float32", [2], [1, 2]);
    expect(tensorFromBytes("float32", [2], bytesOf(t)).data.buffer).toBe(t.data.buffer);
  });

  test("data must fill the shape", () => {
    expect(() => tensor("float32", [2, 2], new Float32Array(3))).toThrow(/3 elements do not fill .*\[2, 2\]/);
    expect(() => tensorFromBytes("float32", [2], new Uint8Array(7))).toThrow(ShapeError);
  });

  test("a named dimension has no size", () => {
    expect(() => sizeOf([2, "T"])).toThrow(/"T"/);
    expect(() => zeros(f32("T"))).toThrow(ShapeError);
    expect(sizeOf([])).toBe(1);
  });
});
