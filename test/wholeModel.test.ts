/** The gradient of a whole model against central differences along random directions. */
import { expect, test } from "vitest";
import { grad } from "../src/autodiff/grad.ts";
import { compile } from "../src/engine/compile.ts";
import { trace } from "../src/ir/program.ts";
import { type Tensor, type TensorType, tensorOf } from "../src/ir/tensor.ts";
import { gpt2, gpt2Config } from "../src/models/decoders/gpt2.ts";
import { meanLoss } from "../src/nn/loss.ts";
import { initialize, type ParamSpec } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { languageModelling } from "../src/tasks/languageModelling.ts";
import { distillation } from "../src/tasks/teaching/distillation.ts";
import { rng } from "../src/util/rng.ts";
import { entries, mapTree } from "../src/util/tree.ts";

const [B, T, V] = [2, 6, 13];

test.each([
  ["gelu_new", languageModelling, 0],
  ["gelu", languageModelling, 0.2],
  ["gelu_new", distillation({ alpha: 0.7, temperature: 2 }), 0],
] as const)("%s, %o, dropout %d", async (activation_function, objective, rate) => {
  const engine = await nodeEngine();
  const dropout = { resid_pdrop: rate, embd_pdrop: rate, attn_pdrop: rate };
  const shape = { vocab_size: V, n_positions: T, n_embd: 12, n_layer: 2, n_head: 3, initializer_range: 0.3 };
  const config = gpt2Config({ ...shape, ...dropout, activation_function });
  const specs = gpt2.params(config);
  const types = mapTree<ParamSpec, TensorType>(specs, (s) => ({ dtype: s.dtype, shape: s.shape }));
  const batch = objective.inputs({ batch: B, context: T, vocab: V });
  const ids: TensorType = { dtype: "int32", shape: [B, T] };
  const program = trace({ params: types, ids, batch, seed: { dtype: "int32", shape: [] } }, (v) => {
    const outputs = gpt2.forward(v.params, { inputIds: v.ids, dropoutSeed: v.seed }, config);
    const loss = meanLoss(objective.totals(outputs, v.batch));
    return { loss, slopes: grad(loss, v.params) };
  });
  const session = await compile(engine, program);

  const random = rng(4, "whole model");
  const tokens = Array.from({ length: B * T }, () => random.int(V));
  const teacher = Array.from({ length: B * T * V }, () => random.normal());
  const fixed: Record<string, Tensor> = {
    ids: tensorOf("int32", [B, T], tokens),
    seed: tensorOf("int32", [], [7]),
    "batch.labels": tensorOf(
      "int32",
      [B * T],
      tokens.map((id, i) => (i === 3 ? -100 : (id * 5 + 1) % V)),
    ),
    ...("teacherLogits" in batch ? { "batch.teacherLogits": tensorOf("float32", [B * T, V], teacher) } : {}),
  };
  const weights = new Map(entries<Tensor>(initialize(specs, 2)));
  const at = async (eps: number, direction?: ReadonlyMap<string, Float64Array>) => {
    const moved = Array.from(weights, ([path, t]) => {
      const d = direction?.get(path);
      const values = Array.from(t.data as Float32Array, (x, i) => x + eps * (d?.[i] ?? 0));
      return [`params.${path}`, tensorOf("float32", t.shape, values)] as const;
    });
    return session.run({ ...fixed, ...Object.fromEntries(moved) });
  };
  const base = await at(0);
  for (let trial = 0; trial < 4; trial++) {
    const direction = new Map(
      Array.from(weights, ([path, t]) => [
        path,
        Float64Array.from(t.data as Float32Array, () => random.normal()),
      ]),
    );
    let expected = 0;
    for (const [path, d] of direction) {
      const slope = base[`slopes.${path}`]!.data as Float32Array;
      d.forEach((x, i) => {
        expected += x * slope[i]!;
      });
    }
    const eps = 2e-3;
    const [up, down] = [await at(eps, direction), await at(-eps, direction)];
    const measured = (Number(up.loss!.data[0]) - Number(down.loss!.data[0])) / (2 * eps);
    expect(Math.abs(measured - expected)).toBeLessThan(1e-2 * Math.max(1, Math.abs(expected)));
  }
});
