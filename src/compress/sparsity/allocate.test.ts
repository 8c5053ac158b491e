/** Shares of zeros that matrices have of their own. */
import { expect, test } from "vitest";
import { modelOf } from "../../../test/e2e/exported.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import type { Weight } from "../../nn/param.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { rng } from "../../util/rng.ts";
import { flatten, mapTree, type Tree } from "../../util/tree.ts";
import { sparsified } from "./sparsify.ts";

const random = rng(5, "allocate");

/** A model whose second MLP gives nearly nothing. */
const model = (): Model => {
  const made = modelOf("llama", "causal-lm");
  const weights = mapTree<Weight, Weight>(made.weights, (w, path) => {
    const factor = /layers\.1\.mlp\.down_proj/.test(path) ? 1e-3 : 1;
    const data = ((w as Tensor).data as Float32Array).map((v) => factor * (v + 0.2 * random.normal()));
    return tensor("float32", w.shape as number[], data);
  });
  return { ...made, weights };
};

const zerosOf = (weights: Model["weights"]) =>
  Array.from(flatten<Weight>(weights as Tree<Weight>)).flatMap(([path, w]) => {
    const { data } = w as Tensor;
    const zeros = Array.from(data as Float32Array).filter((v) => v === 0).length;
    return /(self_attn|mlp)\./.test(path) ? [{ path, zeros, size: data.length }] : [];
  });

test("the share of all is kept, and where nothing is lost there are more zeros", async () => {
  const engine = await nodeEngine({ threads: 1 });
  const ids = Int32Array.from({ length: 4 * 48 }, () => random.int(80));
  const how = { pattern: { share: 0.5 }, batches: [tensor("int32", [4, 48], ids)], allocate: true } as const;
  const made = await sparsified(engine, model(), { ...how, method: "wanda" });
  const found = zerosOf(made.model.weights);
  const sum = (of: (each: (typeof found)[number]) => number) =>
    found.reduce((all, each) => all + of(each), 0);
  expect(Math.abs(sum(({ zeros }) => zeros) / sum(({ size }) => size) - 0.5)).toBeLessThan(0.03);
  const shareOf = (part: string) => {
    const { zeros, size } = found.find(({ path }) => path.includes(part))!;
    return zeros / size;
  };
  for (const part of ["gate", "up", "down"]) {
    expect(shareOf(`layers.1.mlp.${part}_proj`)).toBeGreaterThan(0.57);
    expect(shareOf(`layers.0.mlp.${part}_proj`)).toBeLessThan(0.52);
  }
  for (const { zeros, size } of found) {
    expect(zeros / size).toBeGreaterThan(0.38);
    expect(zeros / size).toBeLessThan(0.62);
  }
  expect(made.model.history.at(-1)).toEqual({
    name: "sparsify",
    options: { method: "wanda", share: 0.5, allocate: true },
  });
});
