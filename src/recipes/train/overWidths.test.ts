/** Rates of wide models: which matrices follow the width, by how much, and for which optimizers. */
import { expect, test } from "vitest";
import { tensorOf } from "../../ir/tensor.ts";
import { gpt2, gpt2Config } from "../../models/decoders/gpt2.ts";
import { initialize, tensorsOf } from "../../nn/param.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { type OptimizerName, optimizers } from "../../optim/index.ts";
import { languageModelling } from "../../tasks/languageModelling.ts";
import { train } from "../../train/loop.ts";
import { defaults } from "../config/options.ts";
import { methodOf } from "./method.ts";

const config = gpt2Config({ vocab_size: 12, n_positions: 4, n_embd: 16, n_layer: 1, n_head: 2 });
const model = { arch: gpt2, config, weights: initialize(gpt2.params(config), 1), history: [] };
const ids = [1, 2, 3, 4, 5, 6, 7, 8];
const batch = {
  inputIds: tensorOf("int32", [2, 4], ids),
  labels: tensorOf(
    "int32",
    [8],
    ids.map((id) => id + 1),
  ),
};

/** What one update changes of each weight. */
const steps = async (name: OptimizerName, baseWidth: number, from = "") => {
  const options = { ...defaults, model: { ...defaults.model, n_embd: 16, from } };
  const method = methodOf(model, { ...options, train: { ...defaults.train, optimizer: name, baseWidth } });
  const { model: after } = await train(await nodeEngine({ threads: 1 }), model, () => batch, {
    ...{ objective: languageModelling, batch: 2, context: 4, steps: 1, schedule: () => 1e-2, seed: 1 },
    optimizer: method.optimizer(optimizers[name]({ weightDecay: 0, adjustLr: "matchRmsAdamw" })),
  });
  const before = new Map(tensorsOf(model.weights));
  return new Map(
    Array.from(tensorsOf(after.weights), ([path, { data }]) => [
      path,
      Array.from(data as Float32Array, (v, i) => v - (before.get(path)!.data[i] as number)),
    ]),
  );
};

test.each([
  ["adamw", 1 / 4],
  ["muon", 1 / 2],
] as const)(
  "%s: matrices between layers take %d of the rate at four times the width",
  async (name, share) => {
    const [plain, scaled] = [await steps(name, 0), await steps(name, 4)];
    let hidden = 0;
    for (const [path, values] of plain) {
      const isHidden = /h\.0\.(attn|mlp)\.\w+\.weight$/.test(path);
      if (isHidden) hidden++;
      const most = Math.max(...values.map(Math.abs));
      for (const [i, value] of values.entries()) {
        const off = Math.abs(scaled.get(path)![i]! - (isHidden ? share : 1) * value);
        expect(off, path).toBeLessThan(1e-4 * most + 1e-9);
      }
    }
    expect(hidden).toBe(4);
  },
);

test("a model that is there keeps its rates", async () => {
  expect(await steps("adamw", 4, "a folder")).toEqual(await steps("adamw", 0));
});

test("optimizers whose rates are not known to go over are refused", async () => {
  await expect(steps("sgd", 4)).rejects.toThrow(/does not hold for sgd/);
});
