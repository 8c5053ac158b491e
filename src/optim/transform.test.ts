import { beforeAll, describe, expect, test } from "vitest";
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import type { Value } from "../ir/op.ts";
import { nodesOf, type Program, trace } from "../ir/program.ts";
import { type Tensor, type TensorType, tensorOf, zeros } from "../ir/tensor.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import { optimize } from "../rewrite/index.ts";
import { ConfigError, ShapeError } from "../util/errors.ts";
import { entries, leaves, mapTree, type Tree } from "../util/tree.ts";
import {
  adamw,
  addDecayedWeights,
  applyUpdates,
  chain,
  clipByGlobalNorm,
  clipByValue,
  globalNorm,
  lion,
  masked,
  momentum,
  muon,
  type Optimizer,
  partition,
  scaleByLearningRate,
  scaleByMomentum,
  sgd,
} from "./index.ts";
import { muonLabel, orthogonal } from "./muon.ts";
import { materialize, type Update } from "./update.ts";

const f32 = (...shape: number[]): TensorType => ({ dtype: "float32", shape });
const matrix = (...values: number[]): Tensor => tensorOf("float32", [2, values.length / 2], values);
const vector = (...values: number[]): Tensor => tensorOf("float32", [values.length], values);
const scalarOf = (value: number): Tensor => tensorOf("float32", [], [value]);

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const stepProgram = (optimizer: Optimizer, types: Tree<TensorType>): Program => {
  const spec = { params: types, grads: types, opt: optimizer.state(types), lr: f32(), step: f32() };
  return trace(spec, ({ params, grads, opt, lr, step }) => {
    const [updates, next] = optimizer.update(grads, opt, params, { lr, step });
    const updated = applyUpdates(params, updates);
    return { updates: mapTree<Update, Value>(updates, materialize), updated, next };
  });
};

/** Runs one step from zero state and returns the outputs as plain arrays. */
const step = async (optimizer: Optimizer, params: Tree<Tensor>, grads: Tree<Tensor>, lr = 0.1) => {
  const program = stepProgram(optimizer, params);
  const session = await compile(engine, program);
  const feeds: Record<string, Tensor> = { lr: scalarOf(lr), step: scalarOf(1) };
  for (const [path, v] of entries<Value>(program.inputs)) feeds[path] ??= zeros(v);
  for (const [path, t] of entries<Tensor>({ params, grads })) feeds[path] = t;
  const outputs = await session.run(feeds);
  await session.dispose();
  return Object.fromEntries(Object.entries(outputs).map(([k, t]) => [k, Array.from(t.data as Float32Array)]));
};

/** Passes over a whole param in one step: nodes with an output of its shape. */
const passes = (optimizer: Optimizer): number => {
  const program = stepProgram(optimizer, { "h.weight": f32(7, 5) });
  const { updated, next } = program.outputs as Record<"updated" | "next", Tree<Value>>;
  const nodes = nodesOf(optimize({ inputs: program.inputs, outputs: { updated, next } } as Program));
  return nodes.filter((n) => n.inputs.length > 0 && n.outputs[0]!.shape.join() === "7,5").length;
};

describe("clipping", () => {
  const grads = { a: matrix(3, 0, 0, 4), b: vector(12) }; // norm 13

  test("by global norm leaves what is at or below the limit bit for bit", async () => {
    for (const max of [13, 20]) {
      const out = await step(clipByGlobalNorm(max), grads, grads);
      expect(out["updates.a"]).toEqual([3, 0, 0, 4]);
      expect(out["updates.b"]).toEqual([12]);
    }
  });

  test("by global norm scales what is above it to the limit", async () => {
    const out = await step(clipByGlobalNorm(6.5), grads, grads);
    expect(out["updates.a"]).toEqual([1.5, 0, 0, 2]);
    expect(out["updates.b"]).toEqual([6]);
  });

  test("by global norm keeps zeros, and lets NaN through to be seen", async () => {
    const zero = { a: matrix(0, 0, 0, 0), b: vector(0) };
    expect((await step(clipByGlobalNorm(1), zero, zero))["updates.a"]).toEqual([0, 0, 0, 0]);
    const bad = { a: matrix(1, 2, 3, 4), b: vector(Number.NaN) };
    expect((await step(clipByGlobalNorm(1), bad, bad))["updates.a"]).toEqual([NaN, NaN, NaN, NaN]);
  });

  test("by value limits each element", async () => {
    const out = await step(clipByValue(3.5), grads, { a: matrix(-9, 0, 3.5, 4), b: vector(-3) });
    expect(out["updates.a"]).toEqual([-3.5, 0, 3.5, 3.5]);
    expect(out["updates.b"]).toEqual([-3]);
  });

  test("the norm is computed once for the clip and the report", () => {
    const types = { grads: { a: f32(3, 4), b: f32(5) }, lr: f32(), step: f32() };
    const program = trace(types, ({ grads: g, ...context }) => {
      const [updates] = clipByGlobalNorm(1).update(g, {}, g, context);
      return { norm: globalNorm(g), params: applyUpdates(g, updates) };
    });
    const sqrts = nodesOf(optimize(program)).filter((n) => n.op.name === "sqrt");
    expect(sqrts).toHaveLength(1);
  });
});

describe("composition", () => {
  const params = { w: matrix(1, 2, 3, 4), b: vector(1, 2) };
  const grads = { w: matrix(1, 1, 1, 1), b: vector(1, 1) };

  test("decay touches only tensors of two dimensions unless told", async () => {
    const out = await step(addDecayedWeights(0.5), params, grads);
    expect(out["updates.w"]).toEqual([1.5, 2, 2.5, 3]);
    expect(out["updates.b"]).toEqual([1, 1]);
    const only = await step(
      addDecayedWeights(0.5, (path) => path === "b"),
      params,
      grads,
    );
    expect(only["updates.w"]).toEqual([1, 1, 1, 1]);
    expect(only["updates.b"]).toEqual([1.5, 2]);
  });

  test("masked passes the others on and keeps no state for them", async () => {
    const half = masked(scaleByMomentum({ decay: 0.5, nesterov: true }), (path) => path.endsWith("b"));
    expect([...entries<TensorType>(half.state(params))].map(([path]) => path)).toEqual(["m.b"]);
    const out = await step(half, params, grads);
    expect(out["updates.w"]).toEqual([1, 1, 1, 1]);
    expect(out["updates.b"]).toEqual([1.5, 1.5]);
    expect(out["next.m.b"]).toEqual([1, 1]);
  });

  test("a mask of nothing changes nothing", async () => {
    const none = chain(
      "x",
      masked(momentum(), () => false),
      masked(clipByGlobalNorm(1), () => false),
    );
    expect(leaves(none.state(params))).toEqual([]);
    expect((await step(none, params, grads))["updates.w"]).toEqual([1, 1, 1, 1]);
  });

  test("partition gives each param to its transform, nested trees too", async () => {
    const nested = { h: [{ w: params.w, b: params.b }] };
    const split = partition("split", { a: momentum(), b: sgd() }, (path) => (path === "h.0.w" ? "a" : "b"));
    expect([...entries<TensorType>(split.state(nested))].map(([path]) => path)).toEqual([
      "a.momentum.m.h.0.w",
    ]);
    const out = await step(split, nested, { h: [{ w: grads.w, b: grads.b }] }, 0.5);
    expect(out["updated.h.0.w"]).toEqual([0.5, 1.5, 2.5, 3.5]);
    expect(out["updated.h.0.b"]).toEqual([0.5, 1.5]);
    expect(out["next.a.momentum.m.h.0.w"]).toEqual([1, 1, 1, 1]);
  });

  test("partition refuses a label without a transform", () => {
    const split = partition<string>("split", { a: sgd() }, () => "b");
    expect(() => split.state(params)).toThrow(ConfigError);
    expect(() => split.state(params)).toThrow('tensor "w"');
  });

  test("repeated transforms keep their state apart", () => {
    const twice = chain("twice", scaleByMomentum({ decay: 0.9 }), scaleByMomentum({ decay: 0.5 }));
    const paths = [...entries<TensorType>(twice.state({ w: f32(2) }))].map(([path]) => path);
    expect(paths).toEqual(["momentum.m.w", "momentum1.m.w"]);
  });

  test("what cannot be optimized is refused by name", () => {
    expect(() => adamw().state({ a: { w: { dtype: "float16", shape: [2] } } })).toThrow(ShapeError);
    expect(() => adamw().state({ a: { w: { dtype: "float16", shape: [2] } } })).toThrow('tensor "a.w"');
    expect(() => adamw().state({ w: { dtype: "float32", shape: ["B"] } })).toThrow("[B]");
    expect(() => adamw({ b2: 1 })).toThrow('field "b2"');
    expect(() => sgd({ weightDecay: -1 })).toThrow('field "weightDecay"');
    expect(() => clipByGlobalNorm(0)).toThrow('field "max"');
  });
});

describe("passes over the params", () => {
  test.each<[string, Optimizer, number]>([
    ["sgd", sgd(), 2],
    ["sgd with decay and clipping", chain("x", clipByValue(1), sgd({ weightDecay: 0.1 })), 5],
    ["momentum", momentum(), 4],
    ["adamw", adamw({ weightDecay: 0.1 }), 11],
    ["lion", lion({ weightDecay: 0.1 }), 8],
  ])("%s", (_, optimizer, count) => {
    expect(passes(optimizer)).toBe(count);
  });

  test("a learning rate alone costs none", () => {
    expect(passes(chain("x", scaleByLearningRate(), scaleByLearningRate()))).toBe(2);
  });
});

describe("muon", () => {
  test.each([
    [3, 5],
    [5, 3],
    [4, 4],
  ])("orthogonalizes %i x %i", async (rows, columns) => {
    const x = tensorOf(
      "float32",
      [rows, columns],
      Array.from({ length: rows * columns }, (_, i) => Math.sin(i * i)),
    );
    const session = await compile(
      engine,
      trace({ x: x as TensorType }, (v) => ({ y: orthogonal(v.x) })) as never,
    );
    const y = (await session.run({ x })).y!.data as Float32Array;
    await session.dispose();
    const k = Math.min(rows, columns);
    const at = (i: number, j: number) => (rows <= columns ? y[i * columns + j]! : y[j * columns + i]!);
    let trace1 = 0;
    for (let a = 0; a < k; a++) {
      for (let b = 0; b < k; b++) {
        let gram = 0;
        for (let j = 0; j < Math.max(rows, columns); j++) gram += at(a, j) * at(b, j);
        if (a === b) trace1 += gram;
        else expect(Math.abs(gram)).toBeLessThan(0.45);
      }
    }
    expect(trace1 / k).toBeGreaterThan(0.6);
    expect(trace1 / k).toBeLessThan(1.35);
  });

  test("zero gradients give finite steps", async () => {
    const zero = { "h.weight": matrix(0, 0, 0, 0, 0, 0), "h.bias": vector(0) };
    const out = await step(muon({ weightDecay: 0 }), zero, zero);
    expect(out["updated.h.weight"]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(out["updated.h.bias"]).toEqual([0]);
  });

  test.each([
    ["transformer.h.0.attn.c_attn.weight", [8, 24], "muon"],
    ["model.layers.0.mlp.up_proj.weight", [8, 4], "muon"],
    ["decoder.block.0.layer.0.SelfAttention.q.weight", [8, 8], "muon"],
    ["transformer.h.0.attn.c_attn.bias", [24], "adamw"],
    ["transformer.wte.weight", [99, 8], "adamw"],
    ["transformer.wpe.weight", [9, 8], "adamw"],
    ["model.embed_tokens.weight", [99, 8], "adamw"],
    ["bert.embeddings.word_embeddings.weight", [99, 8], "adamw"],
    ["cls.predictions.decoder.weight", [99, 8], "adamw"],
    ["lm_head.weight", [99, 8], "adamw"],
    ["classifier.weight", [2, 8], "adamw"],
  ])("%s %o goes to %s", (path, shape, label) => {
    expect(muonLabel(path, f32(...shape))).toBe(label);
  });
});
