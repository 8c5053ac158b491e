import { expect, test } from "vitest";
import { llama, llamaConfig } from "../../models/decoders/llama.ts";
import { initialize } from "../../nn/param.ts";
import { defaults } from "../config/options.ts";
import { methodOf } from "./method.ts";

const config = llamaConfig({
  ...{ vocab_size: 40, hidden_size: 16, intermediate_size: 32, num_hidden_layers: 1 },
  ...{ num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 16 },
});
const model = { arch: llama, config, weights: initialize(llama.params(config), 1), history: [] };
const notes = (rank: number) =>
  methodOf(model, { ...defaults, adapter: { ...defaults.adapter, rank } }).notes ?? [];

test("a rank that matrices cannot have is told, with the narrowest of them", () => {
  expect(notes(8)).toEqual([]);
  expect(notes(9)).toEqual([expect.stringMatching(/^rank 9 is above what 2 of 7 .*[kv]_proj.* \(8\)/)]);
  expect(notes(64)).toEqual([expect.stringMatching(/^rank 64 is above what 7 of 7 /)]);
  expect(notes(0)).toEqual([]);
});
