import { expect, test } from "vitest";
import { defaults } from "../config/options.ts";
import { trainingNeeds } from "./needs.ts";
import { freshShape } from "./start.ts";

test("training needs the weights thrice, the optimizer's state, and the logits with their gradient", () => {
  const model = { ...defaults.model, n_layer: 8, n_embd: 768, n_head: 12 };
  const options = { ...defaults, model, train: { ...defaults.train, optimizer: "adamw" as const } };
  const { params, memoryBytes, diskBytes } = trainingNeeds(...freshShape(options, 4096), options);
  // GPT-2: 12 C^2 + 13 C a layer, embeddings of tokens and positions, the last norm.
  const count = 8 * (12 * 768 ** 2 + 13 * 768) + (4096 + 128) * 768 + 2 * 768;
  expect(params).toBe(count);
  // AdamW keeps two moments.
  expect(memoryBytes).toBe(150e6 + 4 * count * 5 + 8 * 8 * 128 * 4096);
  expect(memoryBytes).toBeGreaterThan(512 * 2 ** 20);
  expect(diskBytes).toBe(4 * count * (3 * 3 + 2));
});
