import { expect, test } from "vitest";
import { gpt2, gpt2Config } from "../../models/decoders/gpt2.ts";
import { initialize } from "../../nn/param.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { exportDtypes } from "../../ship/onnx/dtype.ts";
import { packedAs } from "./packed.ts";

test.each(["fp32", "q8", "uint8", "q4"] as const)("%s is packed as its pass packs it", async (dtype) => {
  const config = gpt2Config({ vocab_size: 20, n_positions: 16, n_embd: 32, n_layer: 2, n_head: 2 });
  const model = { arch: gpt2, config, weights: initialize(gpt2.params(config), 1), history: [] };
  const texts = [[...Array(12).keys()], [3, 1, 4, 1, 5, 9, 2, 6]];
  const engine = await nodeEngine();
  const context = { engine, seed: 1, calibration: texts, log: () => {} };
  const [ours, theirs] = [
    await packedAs(engine, model, dtype, texts),
    await exportDtypes[dtype].pass.run(model, context),
  ];
  expect(ours.weights).toEqual(theirs.weights);
  expect(ours.history).toEqual(theirs.history);
});
