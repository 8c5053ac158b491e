import { expect, test } from "vitest";
import { defaults } from "../config/options.ts";
import { trainingNeeds } from "./needs.ts";
import { freshShape } from "./start.ts";

test("training needs a step at its peak, the best weights, and room for checkpoints", () => {
  const model = { ...defaults.model, n_layer: 8, n_embd: 768, n_head: 12 };
  const options = { ...defaults, model, train: { ...defaults.train, optimizer: "adamw" as const } };
  const { params, memoryBytes, diskBytes } = trainingNeeds(...freshShape(options, 4096), options);
  // GPT-2: 12 C^2 + 13 C a layer, embeddings of tokens and positions, the last norm.
  const count = 8 * (12 * 768 ** 2 + 13 * 768) + (4096 + 128) * 768 + 2 * 768;
  expect(params).toBe(count);
  // Params, gradients, AdamW's two moments, best weights; 16 C + H T a token and layer, and once more of a
  // layer beside the head: its logits, and its gradients before the embedding's are added.
  const [tokens, layer] = [8 * 128, 16 * 768 + 12 * 128];
  const head = tokens * 4096 + 4096 * 768;
  const activations = 8 * tokens * layer + Math.max(0, tokens * layer - head);
  expect(memoryBytes).toBe(150e6 + 4 * (count * 5 + activations + head));
  expect(diskBytes).toBe(4 * count * (3 * 3 + 2));
});

test("of a model that is trained in part, only that part has gradients and state", () => {
  const model = { ...defaults.model, n_layer: 8, n_embd: 768, n_head: 12 };
  const shape = freshShape({ ...defaults, model }, 32_000);
  const needs = (more: object) => trainingNeeds(...shape, { ...defaults, model, ...more }).memoryBytes;
  const whole = needs({});
  const adapted = needs({ adapter: { ...defaults.adapter, rank: 8 } });
  expect(adapted).toBeLessThan(0.6 * whole);
  expect(
    needs({ adapter: { ...defaults.adapter, rank: 8 }, train: { ...defaults.train, recompute: true } }),
  ).toBeLessThan(adapted);
  expect(needs({ train: { ...defaults.train, lossRows: 64 } })).toBeLessThan(whole);
});
