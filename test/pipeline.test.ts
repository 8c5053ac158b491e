/** Ranks that each have some of a model's layers take the steps of one process that has all. */
import { beforeAll, expect, test } from "vitest";
import { pipeline } from "../src/distribute/index.ts";
import type { Engine } from "../src/engine/engine.ts";
import { type Tensor, type TensorType, tensorOf } from "../src/ir/tensor.ts";
import { gpt2, gpt2Config } from "../src/models/decoders/gpt2.ts";
import { llama, llamaConfig } from "../src/models/decoders/llama.ts";
import { bert, bertConfig } from "../src/models/encoders/bert.ts";
import type { Architecture, Model, ModelConfig } from "../src/models/model.ts";
import { marian } from "../src/models/seq2seq/marian.ts";
import { t5 } from "../src/models/seq2seq/t5.ts";
import { initialize, tensorsOf } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { optimizers } from "../src/optim/index.ts";
import { languageModelling } from "../src/tasks/languageModelling.ts";
import type { Objective } from "../src/tasks/objective.ts";
import { sequenceToSequence } from "../src/tasks/seq2seq/sequenceToSequence.ts";
import { sequenceClassification } from "../src/tasks/sequenceClassification.ts";
import { type MetricsRow, type TrainHooks, type TrainOptions, train } from "../src/train/loop.ts";
import { divided } from "../src/train/pipeline/divided.ts";
import { turnsOf } from "../src/train/pipeline/flow.ts";
import { rng } from "../src/util/rng.ts";
import { localRanks } from "./localRanks.ts";
import { together } from "./together.ts";

const [B, T, V] = [2, 8, 40];

const modelOf = (arch: Architecture, config: ModelConfig): Model => ({
  ...{ arch, config, history: [] },
  weights: initialize(arch.params(config) as never, 1),
});

const batchesOf = (objective: Objective) => (index: number) => {
  const r = rng(index, "batches");
  const types: Record<string, TensorType> = {
    inputIds: { dtype: "int32", shape: [B, T] },
    ...objective.inputs({ batch: B, context: T, vocab: V }),
  };
  const values = (name: string, size: number) =>
    Array.from({ length: size }, () => (name === "attentionMask" ? 1 : r.int(name === "labels" ? 2 : V)));
  const made = Object.entries(types).map(([name, { dtype, shape }]) => {
    const size = (shape as readonly number[]).reduce((a, b) => a * b, 1);
    return [name, tensorOf(dtype, shape as number[], values(name, size))];
  });
  return Object.fromEntries(made) as Record<string, Tensor>;
};

const gpt = (layers: number, dropout = 0) =>
  gpt2Config({
    ...{ vocab_size: V, n_positions: T, n_embd: 16, n_layer: layers, n_head: 2 },
    ...{ resid_pdrop: dropout, embd_pdrop: dropout },
  });
const subjects: Readonly<Record<string, { model(): Model; objective: Objective }>> = {
  "GPT-2, whose head is its embedding, with dropout": {
    model: () => modelOf(gpt2, gpt(3, 0.1)),
    objective: languageModelling,
  },
  "Llama with a head of its own": {
    model: () =>
      modelOf(
        llama,
        llamaConfig({
          ...{ vocab_size: V, max_position_embeddings: T, hidden_size: 16, num_hidden_layers: 3 },
          ...{ num_attention_heads: 2, num_key_value_heads: 1, intermediate_size: 32 },
          tie_word_embeddings: false,
        }),
      ),
    objective: languageModelling,
  },
  "a BERT classifier": {
    model: () =>
      modelOf(
        bert,
        bertConfig({
          ...{ vocab_size: V, max_position_embeddings: T, hidden_size: 16, num_hidden_layers: 2 },
          ...{ num_attention_heads: 2, intermediate_size: 32 },
          architectures: ["BertForSequenceClassification"],
        }),
      ),
    objective: sequenceClassification(),
  },
  "T5, whose layers share their positions' bias": {
    model: () =>
      modelOf(
        t5,
        t5.parse({
          ...{ model_type: "t5", vocab_size: V, d_model: 16, d_kv: 8, d_ff: 32, num_heads: 2 },
          ...{ num_layers: 2, num_decoder_layers: 3, dropout_rate: 0, decoder_start_token_id: 0 },
        }),
      ),
    objective: sequenceToSequence({ target: 6 }),
  },
  "Marian, whose head is the embedding of both sides": {
    model: () =>
      modelOf(
        marian,
        marian.parse({
          ...{
            model_type: "marian",
            vocab_size: V,
            d_model: 16,
            max_position_embeddings: T,
            pad_token_id: 0,
          },
          ...{ encoder_layers: 2, decoder_layers: 2, encoder_ffn_dim: 32, decoder_ffn_dim: 32 },
          ...{ encoder_attention_heads: 2, decoder_attention_heads: 2, decoder_start_token_id: 0 },
        }),
      ),
    objective: sequenceToSequence({ target: 6, labelSmoothing: 0.1 }),
  },
};

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

type How = Partial<TrainOptions & TrainHooks>;

const trained = async (name: string, how: How) => {
  const { model, objective } = subjects[name]!;
  const rows: MetricsRow[] = [];
  const result = await train(engine, model(), batchesOf(objective), {
    ...{ batch: B, context: T, steps: 4, schedule: () => 3e-3, seed: 1, clipNorm: 1, objective },
    ...{ optimizer: optimizers.adamw({ weightDecay: 0.1 }), accumulate: 3, evalEvery: 2 },
    validation: [100, 101].map(batchesOf(objective)),
    ...how,
    onRow: (row) => rows.push(row),
  });
  return { result, rows };
};

type Ended = Awaited<ReturnType<typeof trained>>;

const figures = ({ rows }: Ended, of: "loss" | "valLoss" | "gradNorm"): number[] =>
  rows.flatMap((row) => row[of] ?? []);

const near = (found: readonly number[], wanted: readonly number[]): void => {
  expect(found).toHaveLength(wanted.length);
  for (const [i, value] of found.entries()) expect(Math.abs(value / wanted[i]! - 1)).toBeLessThan(1e-6);
};

/** How far two models' numbers are apart, as a share of how large they are. */
const apart = (a: Model, b: Model): number => {
  const others = new Map(tensorsOf(b.weights));
  let [far, all] = [0, 0];
  for (const [path, { data }] of tensorsOf(a.weights)) {
    const other = others.get(path)!.data as Float32Array;
    for (const [i, x] of (data as Float32Array).entries()) {
      far += (x - other[i]!) ** 2;
      all += x * x;
    }
  }
  return Math.sqrt(far / all);
};

test.each([
  ["GPT-2, whose head is its embedding, with dropout", 2, { takesWeights: true }],
  ["Llama with a head of its own", 3, { recompute: true, clipValue: 0.05 }],
  ["a BERT classifier", 2, { optimizer: optimizers.lamb({}) }],
  ["T5, whose layers share their positions' bias", 3, { recompute: true }],
  ["Marian, whose head is the embedding of both sides", 4, { takesWeights: true }],
] as const)("%s", async (name, size, how) => {
  const one = await trained(name, how);
  const ranks = await Promise.all(localRanks(size).map((c) => trained(name, { ...pipeline(c), ...how })));
  for (const rank of ranks) {
    for (const of of ["loss", "gradNorm", "valLoss"] as const) near(figures(rank, of), figures(one, of));
  }
  expect(apart(one.result.model, ranks[0]!.result.model)).toBeLessThan(1e-4);
});

test("one process goes on from what three have saved, and two from that", async () => {
  const name = Object.keys(subjects)[0]!;
  const checkpoints = together([]);
  const straight = await trained(name, { average: { ema: 0.5 } });
  const how = { checkpoints, average: { ema: 0.5 } };
  await Promise.all(localRanks(3).map((c) => trained(name, { ...pipeline(c), ...how, steps: 2 })));
  const one = await trained(name, { ...how, steps: 3, resume: true });
  near(figures(one, "loss"), figures(straight, "loss").slice(2, 3));
  const two = await Promise.all(
    localRanks(2).map((c) => trained(name, { ...pipeline(c), ...how, resume: true })),
  );
  for (const rank of two) near(figures(rank, "loss"), figures(straight, "loss").slice(3));
  expect(apart(straight.result.model, two[0]!.result.model)).toBeLessThan(1e-4);
});

test("a rank holds what at most as many micro-batches need as there are ranks from it to the last", () => {
  for (const [rank, most] of [4, 3, 2, 1].entries()) {
    for (const count of [1, 2, 7]) {
      const turns = turnsOf(rank, 4, count);
      let held = 0;
      for (const { pass } of turns) {
        held += pass === "forward" ? 1 : -1;
        expect(held).toBeLessThanOrEqual(most);
      }
      for (const pass of ["forward", "backward"]) {
        const micro = turns.filter((turn) => turn.pass === pass).map((turn) => turn.micro);
        expect(micro).toEqual(Array.from({ length: count }, (_, i) => i));
      }
    }
  }
});

test("layers are divided so that the heaviest part is as light as can be", () => {
  expect(divided([5, 1, 1, 1, 6], 3)).toEqual([0, 1, 1, 1, 2]);
  expect(divided([1, 1, 1, 1, 1], 2)).toEqual([0, 0, 1, 1, 1]);
  expect(divided([9, 0, 0], 3)).toEqual([0, 1, 2]);
});

test("more ranks than layers, and a rank with nothing to train, are refused", async () => {
  const name = Object.keys(subjects)[0]!;
  await expect(trained(name, pipeline(localRanks(6)[0]!))).rejects.toThrow(
    /"train.pipeline": 6 ranks share 5 layers, embeddings and head among them/,
  );
  const frozen = (path: string): boolean => /\.(h|ln_f)\./.test(path);
  await expect(trained(name, { ...pipeline(localRanks(3)[1]!), frozen })).rejects.toThrow(
    /has nothing to train on rank 1 of 3/,
  );
});
