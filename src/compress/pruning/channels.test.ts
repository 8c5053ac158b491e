/** Hidden states that are made narrower: idle channels go at no cost, and restoration brings others nearer. */
import { beforeAll, describe, expect, test } from "vitest";
import { modelOf } from "../../../test/e2e/exported.ts";
import { compile } from "../../engine/compile.ts";
import type { Engine } from "../../engine/engine.ts";
import { type Tensor, type TensorType, tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import type { Weight } from "../../nn/param.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { rng } from "../../util/rng.ts";
import { flatten, mapTree, type Tree } from "../../util/tree.ts";
import { matrixProgram } from "../probe.ts";
import { channelsOf, channelsToKeep, narrowed } from "./channels.ts";
import { restored } from "./restore.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const random = rng(3, "channels");
const batches = Array.from({ length: 4 }, () =>
  tensor(
    "int32",
    [8, 12],
    Int32Array.from({ length: 96 }, () => random.int(20)),
  ),
);

const logitsOf = async (model: Model): Promise<Float32Array> => {
  const session = await compile(engine, matrixProgram(model, batches[0]!, {}));
  const { out } = await session.run({ ids: batches[0]! });
  await session.dispose();
  return out!.data as Float32Array;
};

/** Weights large enough that every channel tells, and nothing in every fourth where that is asked for. */
const strong = (name: string, { idle = false } = {}): Model => {
  const model = modelOf(name, "causal-lm");
  const weights = mapTree<Weight, Weight>(model.weights, (w, path) => {
    const { shape, data } = w as Tensor;
    const columns = shape[1] ?? 1;
    const inStream = /embed_tokens/.test(path) ? 1 : /(o_proj|down_proj)/.test(path) ? 0 : undefined;
    const isIdle = (at: number): boolean => {
      if (!idle || inStream === undefined) return false;
      return (inStream === 0 ? Math.floor(at / columns) : at % columns) % 4 === 1;
    };
    const stronger = (data as Float32Array).map((v, at) => (isIdle(at) ? 0 : v + 0.3 * random.normal()));
    return tensor("float32", shape as number[], stronger);
  });
  return { ...model, weights };
};

describe.each(["llama", "qwen3"])("%s, three quarters of its hidden states", (name) => {
  test("channels that nothing is in go first, and what is left computes the same", async () => {
    const whole = strong(name, { idle: true });
    const keep = (3 * channelsOf(whole)) / 4;
    const { model, channels } = await narrowed(engine, whole, { keep, batches });
    expect(channels.every((i) => i % 4 !== 1)).toBe(true);
    const [got, want] = [await logitsOf(model), await logitsOf(whole)];
    expect(Math.max(...got.map((v, i) => Math.abs(v - want[i]!)))).toBeLessThan(1e-3);
    const specs = flatten<TensorType>(model.arch.params(model.config) as Tree<TensorType>);
    for (const [path, { shape }] of flatten<Weight>(model.weights))
      expect(shape, path).toEqual(specs.get(path)!.shape);
  });

  test("restoration brings what is left nearer to the whole", async () => {
    const whole = strong(name);
    const keep = (3 * channelsOf(whole)) / 4;
    const { model, channels } = await narrowed(engine, whole, { keep, batches });
    const { model: fitted } = await restored(engine, model, { whole, batches, channels });
    const want = await logitsOf(whole);
    const square = (a: Float32Array) => a.reduce((sum, v, i) => sum + (v - want[i]!) ** 2, 0);
    expect(square(await logitsOf(fitted))).toBeLessThan(0.9 * square(await logitsOf(model)));
  });
});

test("families whose heads add up to the hidden width refuse, and so do numbers that are none", () => {
  expect(() => channelsToKeep(modelOf("gpt2", "causal-lm"), 0.5)).toThrow(/gpt2 cannot be cut/);
  expect(() => channelsToKeep(modelOf("llama", "causal-lm"), 1.5)).toThrow(/a share between 0 and 1/);
});
