/** What is kept near the dense model: of every kind of model nearer than the methods' own numbers. */
import { beforeAll, expect, test } from "vitest";
import { encoderCases } from "../../../test/cases/encoders.ts";
import { modelCases } from "../../../test/cases/models.ts";
import { seq2seqCases } from "../../../test/cases/seq2seq.ts";
import { draw } from "../../../test/reference.ts";
import type { Engine } from "../../engine/engine.ts";
import { type Tensor, tensorOf } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { architectures } from "../../models/registry.ts";
import { initialize, type ParamSpec, type Weight } from "../../nn/param.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { flatten, mapTree, type Tree } from "../../util/tree.ts";
import { outputsOf } from "../calibration/outputs.fixture.ts";
import { type SparsifyOptions, sparsified } from "./sparsify.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

/** Weights large enough that every number tells. */
const modelOf = (name: string): Model => {
  const arch = architectures[name]!;
  const config = arch.parse({ ...modelCases, ...encoderCases, ...seq2seqCases }[name]!.config);
  const plain = initialize(arch.params(config) as Tree<ParamSpec>, 1) as Tree<Weight>;
  const weights = mapTree<Weight, Weight>(plain, (w, path) => {
    const data = (w as Tensor).data as Float32Array;
    const more = draw(path, data.length, -0.4, 0.4);
    return { ...(w as Tensor), data: data.map((v, i) => v + more[i]!) };
  });
  return { arch, config, weights, history: [] };
};

const [B, T] = [4, 6];
const batches = Array.from({ length: 8 }, (_, i) =>
  tensorOf("int32", [B, T], draw(`zeros ${i}`, B * T, 2, 20).map(Math.floor)),
);

const cases = [
  ...["gpt2", "llama", "bert", "t5"].map((name) => [name, "wanda"] as const),
  ...(["sparsegpt", "admm"] as const).map((method) => ["gpt2", method] as const),
];

test.each(cases)("%s: %s loses less than its own numbers do", async (name, method) => {
  const whole = modelOf(name);
  const errorOf = async (made: Model): Promise<number> => {
    let sum = 0;
    for (const ids of batches) {
      const [got, want] = [await outputsOf(engine, made, ids), await outputsOf(engine, whole, ids)];
      sum += got.reduce((all, v, i) => all + (v - want[i]!) ** 2, 0);
    }
    return sum;
  };
  const how: SparsifyOptions = { method, pattern: { share: 0.5 }, batches };
  const near = await sparsified(engine, whole, how);
  const plain = await sparsified(engine, whole, { ...how, restore: false });
  const said = [near, plain].map(({ model }) => model.history.at(-1)!.options);
  expect(said).toEqual([
    { method, share: 0.5 },
    { method, share: 0.5, restore: false },
  ]);
  expect(await errorOf(near.model)).toBeLessThan(0.9 * (await errorOf(plain.model)));
});

test("what Wanda leaves has its output's size: the first matrix is the plain one, each row by a factor", async () => {
  const whole = modelOf("llama");
  const how = { method: "wanda", pattern: { share: 0.5 }, batches } as const;
  const path = "model.layers.0.self_attn.q_proj.weight";
  const madeBy = async (restore: boolean): Promise<Tensor> => {
    const { model } = await sparsified(engine, whole, { ...how, restore });
    return flatten<Weight>(model.weights).get(path) as Tensor;
  };
  const [near, plain] = [await madeBy(true), await madeBy(false)];
  const [n, k] = plain.shape as [number, number];
  const factors = Array.from({ length: n }, (_, j) => {
    const kept = Array.from({ length: k }, (__, i) => j * k + i).filter((at) => plain.data[at] !== 0);
    const own = kept.map((at) => Number(near.data[at]) / Number(plain.data[at]));
    for (const factor of own) expect(factor).toBeCloseTo(own[0]!, 4);
    return own[0]!;
  });
  expect(factors.filter((factor) => Math.abs(factor - 1) > 0.02).length).toBeGreaterThan(n / 2);
});

test("where no batch is held out nothing is corrected: numbers are SparseGPT's own", async () => {
  const whole = modelOf("llama");
  const how = { method: "sparsegpt", pattern: { share: 0.5 }, batches: batches.slice(0, 2) } as const;
  const madeBy = async (restore: boolean): Promise<Tensor> => {
    const { model } = await sparsified(engine, whole, { ...how, restore });
    return flatten<Weight>(model.weights).get("model.layers.1.mlp.down_proj.weight") as Tensor;
  };
  const [near, own] = [await madeBy(true), await madeBy(false)];
  for (const [i, v] of Array.from(near.data, Number).entries()) expect(v).toBeCloseTo(Number(own.data[i]), 4);
});
