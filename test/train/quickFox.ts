/** A model of two layers that learns one sentence, and how its runs are compared. */
import { beforeAll } from "vitest";
import { batches, evalBatches } from "../../src/data/index.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { type Tensor, tensor } from "../../src/ir/tensor.ts";
import { gpt2, gpt2Config } from "../../src/models/decoders/gpt2.ts";
import type { Model } from "../../src/models/model.ts";
import { initialize, type Weight } from "../../src/nn/param.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { optimizers } from "../../src/optim/index.ts";
import type { BatchSource } from "../../src/tasks/task.ts";
import type { Checkpoints, Snapshot } from "../../src/train/checkpoint.ts";
import type { TrainHooks, TrainOptions } from "../../src/train/loop.ts";
import { flatten } from "../../src/util/tree.ts";

export const B = 4;

export const T = 16;

const text =
  "the quick brown fox jumps over the lazy dog and then the dog sleeps while the fox runs. ".repeat(12);

export const alphabet = [...new Set(text)].sort();

const tokens = Uint32Array.from(text, (c) => alphabet.indexOf(c));

const feeds = ({ inputIds, labels }: { inputIds: Int32Array; labels: Int32Array }) => ({
  inputIds: tensor("int32", [B, T], inputIds),
  labels: tensor("int32", [B * T], labels),
});

export const source: BatchSource = (index) =>
  feeds(batches({ tokens, batch: B, context: T, seed: 2 })(index));

export const validation = evalBatches({ tokens: tokens.subarray(0, 300), batch: B, context: T }).map(feeds);

export const fresh = (dropout = 0, layers = 2): Model => {
  const rates = { resid_pdrop: dropout, embd_pdrop: dropout, attn_pdrop: dropout };
  const shape = { vocab_size: alphabet.length, n_positions: T, n_embd: 32, n_layer: layers, n_head: 2 };
  const config = gpt2Config({ ...shape, ...rates });
  return { arch: gpt2, config, weights: initialize(gpt2.params(config) as never, 1), history: [] };
};

export const options = (more: Partial<TrainOptions & TrainHooks> = {}): TrainOptions & TrainHooks => ({
  batch: B,
  context: T,
  steps: 12,
  optimizer: optimizers.adamw({ weightDecay: 0.1 }),
  schedule: () => 3e-3,
  seed: 1,
  clipNorm: 1,
  ...more,
});

const clone = (from: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
  new Map(Array.from(from, ([k, t]) => [k, { ...t, data: t.data.slice() }]));

/** Checkpoints in memory, every one kept. */
export const memory = () => {
  const saved: Snapshot[] = [];
  const checkpoints: Checkpoints = {
    save: async (s) => {
      const { state, best, average } = s;
      const parts = {
        ...(best ? { best: clone(best) } : {}),
        ...(average ? { average: clone(average) } : {}),
      };
      saved.push({ ...s, state: clone(state), ...parts });
    },
    load: async () => saved.at(-1)!,
  };
  return { saved, checkpoints };
};

export const numbers = (model: Model): Map<string, number[]> =>
  new Map(
    Array.from(flatten<Weight>(model.weights), ([k, w]) => [
      k,
      Array.from((w as Tensor).data as Float32Array),
    ]),
  );

export let engine: Engine;

beforeAll(async () => {
  engine = await nodeEngine();
});
