/** Random models, their GGUF files, and llama.cpp. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getLlama, type Llama, LlamaLogLevel } from "node-llama-cpp";
import { afterAll, beforeAll } from "vitest";
import { type Tensor, zeros } from "../../src/ir/tensor.ts";
import type { Model } from "../../src/models/model.ts";
import { architectures } from "../../src/models/registry.ts";
import type { ParamSpec } from "../../src/nn/param.ts";
import { trainBpe } from "../../src/tokenizer/bpe/trainBpe.ts";
import { rng } from "../../src/util/rng.ts";
import { mapTree, type Tree } from "../../src/util/tree.ts";

export const dir = mkdtempSync(join(tmpdir(), "anneal-gguf-"));

export let llama: Llama;

beforeAll(async () => {
  llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error });
});

afterAll(async () => {
  await llama.dispose();
  rmSync(dir, { recursive: true, force: true });
});

/** One whose likeliest tokens lead by more than rounding to float16 moves them, in every family. */
const SEED = 11;

/** Weights far larger than a new model's, so that logits lie apart. */
export const randomModel = (config: Readonly<Record<string, unknown>>, std: number): Model => {
  const arch = architectures[config.model_type as string]!;
  const parsed = arch.parse(config);
  const specs = arch.params(parsed) as Tree<ParamSpec>;
  const weights = mapTree<ParamSpec, Tensor>(specs, (spec, path) => {
    const t = zeros(spec);
    const random = rng(SEED, path);
    const isNorm = /norm|ln_/.test(path) && path.endsWith("weight");
    for (let i = 0; i < t.data.length; i++) t.data[i] = (isNorm ? 1 : 0) + std * random.normal();
    return t;
  });
  return { arch, config: parsed, weights, history: [] };
};

export const VOCAB = 320;

const words = "the quick brown fox jumps over the lazy dog and 1234 other animals, don't they? ";

export const tokenizer = trainBpe([words.repeat(20)], { vocab: 300 });

export const { tokenizer: json, config: tokenizerConfig } = tokenizer.files();

const llama3 = {
  rope_type: "llama3",
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 16,
};

const yarn = { rope_type: "yarn", factor: 4, original_max_position_embeddings: 16 };

const rotary = {
  vocab_size: VOCAB,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: false,
};

export const families: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  gpt2: { model_type: "gpt2", vocab_size: VOCAB, n_positions: 64, n_embd: 64, n_layer: 3, n_head: 4 },
  ...Object.fromEntries(
    [
      ["llama", { model_type: "llama" }],
      ["llama3", { model_type: "llama", tie_word_embeddings: true, rope_scaling: llama3 }],
      ["llama linear", { model_type: "llama", rope_scaling: { rope_type: "linear", factor: 2 } }],
      ["llama yarn", { model_type: "llama", rope_scaling: yarn }],
      ["llama biases", { model_type: "llama", attention_bias: true, mlp_bias: true }],
      ["qwen2", { model_type: "qwen2" }],
      ["qwen3", { model_type: "qwen3", head_dim: 32 }],
    ].map(([name, fields]) => [name, { ...rotary, ...(fields as object) }]),
  ),
};

let count = 0;

/** A path in the folder that no other call gives. */
export const newPath = (ending: string): string => join(dir, `${count++}${ending}`);
