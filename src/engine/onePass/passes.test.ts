import { describe, expect, test } from "vitest";
import { trace } from "../../ir/program.ts";
import { scalar, type Tensor, type TensorType, zeros } from "../../ir/tensor.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import {
  abs,
  add,
  div,
  exp,
  maximum,
  minimum,
  mul,
  neg,
  sign,
  sqrt,
  sub,
  tanh,
} from "../../ops/elementwise.ts";
import { compile } from "../compile.ts";
import type { Feeds } from "../engine.ts";
import { openPasses } from "./passes.ts";
import { passPlan } from "./plan.ts";

const f32 = (...shape: number[]): TensorType => ({ dtype: "float32", shape });

const filled = (t: Tensor, seed: number): Tensor => {
  let state = seed;
  (t.data as Float32Array).forEach((_, i, data) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    data[i] = state / 2 ** 30;
  });
  return t;
};

/** All ops that passes know: two arrays of one shape that meet, one apart, and scalars. */
const everything = (size: number) =>
  trace({ a: f32(size), b: f32(size), c: f32(3), s: f32(), t: f32() }, ({ a, b, c, s, t }) => {
    const factor = div(tanh(mul(s, 0.5)), maximum(abs(t), 1e-3));
    const sum = add(mul(a, factor), mul(sign(b), 0.25));
    return {
      a: sub(sum, div(a, add(sqrt(abs(b)), s))),
      b: minimum(maximum(neg(b), -0.5), b),
      other: mul(c, minimum(t, 2)),
      copy: c,
    };
  });

describe("a program in passes", () => {
  test.each([1, 15, 16, 17, 8191, 8192, 8193, 30_001])("%i elements: the bits of a graph", async (size) => {
    const program = everything(size);
    const plan = passPlan(program)!;
    const feeds: Feeds = {
      ...{ a: filled(zeros(f32(size)), 1), b: filled(zeros(f32(size)), 2), c: filled(zeros(f32(3)), 3) },
      ...{ s: scalar(0.75), t: scalar(1.5) },
    };
    const session = await compile(await nodeEngine(), program);
    const wanted = await session.run(feeds);
    await session.dispose();
    const types = [f32(size), f32(size), f32(3)];
    for (const resident of [false, true]) {
      const passes = openPasses(plan, resident ? types : []);
      const own = (t: Tensor): Tensor => {
        const made = passes.zeros({ dtype: "float32", shape: t.shape });
        (made.data as Float32Array).set(t.data as Float32Array);
        return made;
      };
      const [a, b, c] = [own(feeds.a!), own(feeds.b!), own(feeds.c!)];
      const fetches = { "a:next": a, "b:next": b, other: zeros(f32(3)), copy: zeros(f32(3)) };
      passes.run({ a, b, c, s: feeds.s!, t: feeds.t! }, fetches);
      for (const [name, t] of Object.entries(fetches)) {
        const graph = wanted[name]!.data as Float32Array;
        const worst = Math.max(...Array.from(t.data as Float32Array, (x, i) => Math.abs(x - graph[i]!)));
        // The scalar's tanh is rounded otherwise there: the rest is the same arithmetic.
        expect(worst, `${name}, resident ${resident}`).toBeLessThanOrEqual(5e-7);
      }
      expect(Array.from(a.data as Float32Array)).not.toEqual(Array.from(feeds.a!.data as Float32Array));
    }
  });

  test("without a memory of WebAssembly, and with too small a one, the same bits", () => {
    const wasm = (
      globalThis as object as { WebAssembly: { Memory: new (of: { initial: number }) => object } }
    ).WebAssembly;
    const { Memory } = wasm;
    const [size, given] = [9001, { s: scalar(0.75), t: scalar(1.5) }];
    const types = [f32(size), f32(size), f32(3)];
    const outcome = (most: number): number[] => {
      wasm.Memory = class extends Memory {
        constructor(of: { initial: number }) {
          if (of.initial > most) throw new RangeError("could not allocate memory");
          super(of);
        }
      };
      try {
        const passes = openPasses(passPlan(everything(size))!, types);
        const [a, b, c] = types.map((type, i) => filled(passes.zeros(type), i + 1));
        const out = { "a:next": a!, "b:next": b!, other: zeros(f32(3)), copy: zeros(f32(3)) };
        passes.run({ a: a!, b: b!, c: c!, ...given }, out);
        return Object.values(out).flatMap(({ data }) => Array.from(data as Float32Array));
      } finally {
        wasm.Memory = Memory;
      }
    };
    const whole = outcome(100);
    expect(outcome(3)).toEqual(whole);
    expect(outcome(0)).toEqual(whole);
  });

  test("what has no room is copied, and its neighbours stay", async () => {
    const plan = passPlan(trace({ x: f32(5) }, ({ x }) => ({ x: add(x, 1) })))!;
    const passes = openPasses(plan, [f32(5), f32(5)]);
    const [x, neighbour] = [passes.zeros(f32(5)), passes.zeros(f32(5))];
    const beyond = passes.zeros(f32(5));
    expect(beyond.data.buffer).not.toBe(x.data.buffer);
    // A part of an array is not the array: what stands behind it is not touched.
    const part = { ...x, data: (x.data as Float32Array).subarray(0, 5) };
    for (const t of [x, part, beyond]) passes.run({ x: t }, { "x:next": t });
    expect(Array.from(x.data as Float32Array)).toEqual([2, 2, 2, 2, 2]);
    expect(Array.from(neighbour.data as Float32Array)).toEqual([0, 0, 0, 0, 0]);
    expect(Array.from(beyond.data as Float32Array)).toEqual([1, 1, 1, 1, 1]);
  });

  test("one kernel for tensors that are treated alike", () => {
    const types = { x: f32(4), y: f32(9), z: f32(9) };
    const plan = passPlan(trace(types, ({ x, y, z }) => ({ x: mul(x, 2), y: mul(y, 3), z: add(z, 1) })))!;
    expect(plan.passes.map(({ kernel }) => kernel)).toEqual([0, 0, 1]);
  });

  test("what passes cannot do has no plan", () => {
    expect(passPlan(trace({ x: f32(4) }, ({ x }) => ({ x: exp(x) })))).toBeUndefined();
    expect(passPlan(trace({ x: f32(4), y: f32(2, 4) }, ({ x, y }) => ({ y: add(x, y) })))).toBeUndefined();
    expect(passPlan(trace({ x: f32() }, ({ x }) => ({ x: neg(x) })))).toBeUndefined();
  });

  test("a tensor that is missing or of another size is named", async () => {
    const passes = openPasses(passPlan(trace({ x: f32(4) }, ({ x }) => ({ x: neg(x) })))!);
    expect(() => passes.run({}, {})).toThrow(/x is missing|"?x"?.*missing/);
    const x = zeros(f32(4));
    expect(() => passes.run({ x }, { "x:next": zeros(f32(3)) })).toThrow(/3 elements for 4/);
  });
});
