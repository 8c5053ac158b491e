/**
 * The training step as text: a refactor leaves it unchanged, and a change of what is computed shows here.
 * After a wanted change: npx vitest run test/step.test.ts -u
 */
import { expect, test } from "vitest";
import { type Program, print } from "../src/ir/program.ts";
import { gpt2, gpt2Config } from "../src/models/decoders/gpt2.ts";
import type { Model } from "../src/models/model.ts";
import { initialize } from "../src/nn/param.ts";
import { sgd } from "../src/optim/index.ts";
import { optimize } from "../src/rewrite/index.ts";
import { languageModelling } from "../src/tasks/languageModelling.ts";
import { fusedStep } from "../src/train/step.ts";

const step = (): Program => {
  const config = gpt2Config({ vocab_size: 11, n_positions: 4, n_embd: 8, n_layer: 1, n_head: 2 });
  const weights = initialize(gpt2.params(config), 1);
  const model: Model = { arch: gpt2, config, weights, history: [] };
  return fusedStep(model, {
    batch: 2,
    context: 4,
    optimizer: sgd(),
    objective: languageModelling,
    clipNorm: 1,
  });
};

test("the program of a step, as traced", async () => {
  await expect(print(step())).toMatchFileSnapshot("golden/step.txt");
});

test("the program of a step, as compiled", async () => {
  await expect(print(optimize(step()))).toMatchFileSnapshot("golden/stepOptimized.txt");
});

test("tracing twice gives the same program", () => {
  expect(print(step())).toBe(print(step()));
});
