/** Training by losses of texts' vectors: cached gradients are those of the whole batch, and runs go on exactly. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Engine, Feeds } from "../src/engine/engine.ts";
import { tensorOf } from "../src/ir/tensor.ts";
import { bert, bertConfig } from "../src/models/encoders/bert.ts";
import type { Model } from "../src/models/model.ts";
import { initialize } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { adamw } from "../src/optim/adamw.ts";
import { sgd } from "../src/optim/sgd.ts";
import { batchTriplets } from "../src/tasks/embedding/losses/batchTriplets.ts";
import { cosent } from "../src/tasks/embedding/losses/cosent.ts";
import { inBatchNegatives } from "../src/tasks/embedding/losses/inBatchNegatives.ts";
import { matryoshka } from "../src/tasks/embedding/losses/matryoshka.ts";
import { tripletMargin } from "../src/tasks/embedding/losses/tripletMargin.ts";
import type { VectorLoss } from "../src/tasks/embedding/losses/vectorLoss.ts";
import { sentenceObjective } from "../src/tasks/embedding/sentenceObjective.ts";
import { cachedStepper, chunkOf } from "../src/train/cachedStepper.ts";
import type { Snapshot } from "../src/train/checkpoint.ts";
import { type TrainHooks, type TrainOptions, train } from "../src/train/loop.ts";
import { type MakeStepper, stepper } from "../src/train/stepper.ts";
import { rng } from "../src/util/rng.ts";

const BATCH = 6;
const CONTEXT = 10;

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const modelOf = (dropout: number): Model => {
  const config = bertConfig({
    ...{ vocab_size: 50, hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2 },
    ...{ intermediate_size: 32, max_position_embeddings: 16, pad_token_id: 0, architectures: ["BertModel"] },
    ...{ hidden_dropout_prob: dropout, attention_probs_dropout_prob: dropout, initializer_range: 0.3 },
  });
  const weights = initialize(bert.params(config) as never, 1);
  return { arch: bert, config, weights, history: [], pooling: { mode: "mean", normalize: true } };
};

const cases: Readonly<Record<string, { readonly loss: VectorLoss; readonly texts: number }>> = {
  pairs: { loss: inBatchNegatives(), texts: 2 },
  "hard negatives": { loss: inBatchNegatives(), texts: 4 },
  scores: { loss: cosent(), texts: 2 },
  triplets: { loss: tripletMargin({ margin: 1 }), texts: 3 },
  classes: { loss: batchTriplets({ margin: 1 }), texts: 1 },
  "cut vectors": { loss: matryoshka(inBatchNegatives(), [16, 4]), texts: 2 },
};

/** Random texts of random lengths; the last example of each batch stands for none. */
const batchOf = (texts: number, index: number): Feeds => {
  const random = rng(5, `batch ${index}`);
  const rows = BATCH * texts;
  const lengths = Array.from({ length: rows }, () => 3 + random.int(CONTEXT - 2));
  const of = (value: (row: number, t: number) => number) =>
    tensorOf(
      "int32",
      [rows, CONTEXT],
      Array.from({ length: rows * CONTEXT }, (_, i) => value(Math.floor(i / CONTEXT), i % CONTEXT)),
    );
  const last = (BATCH - 1) * texts;
  return {
    inputIds: of((row, t) => (t < lengths[row]! ? 1 + random.int(49) : 0)),
    attentionMask: of((row, t) => Number(t < lengths[row]!)),
    tokenTypeIds: of(() => 0),
    present: tensorOf(
      "float32",
      [BATCH, texts],
      Array.from({ length: rows }, (_, i) => Number(i < last)),
    ),
    scores: tensorOf(
      "float32",
      [BATCH],
      Array.from({ length: BATCH }, () => random.int(4) / 4),
    ),
    classes: tensorOf(
      "int32",
      [BATCH],
      Array.from({ length: BATCH }, (_, i) => i % 3),
    ),
  };
};

interface Tried {
  readonly dropout?: number;
  readonly accumulate?: number;
  readonly options?: Partial<TrainOptions & TrainHooks>;
}

const tried = (
  name: string,
  make: MakeStepper,
  { dropout = 0, accumulate = 1, options = {} }: Tried = {},
) => {
  const { loss, texts } = cases[name]!;
  const model = modelOf(dropout);
  const objective = sentenceObjective(model, loss, texts);
  const wanted = new Set(Object.keys(objective.inputs({ batch: BATCH, context: CONTEXT, vocab: 50 })));
  const source = (index: number): Feeds =>
    Object.fromEntries(
      Object.entries(batchOf(texts, index)).filter(([input]) => input === "inputIds" || wanted.has(input)),
    );
  const losses: number[] = [];
  return train(engine, model, source, {
    ...{ batch: BATCH, context: CONTEXT, steps: 1, seed: 3, accumulate, objective, stepper: make },
    ...{ optimizer: sgd(), schedule: () => 1 },
    ...options,
    onRow: ({ loss: found }) => void (found === undefined || losses.push(found)),
  }).then((result) => ({ ...result, losses }));
};

const numbersOf = (model: Model): number[] => {
  const all: number[] = [];
  const walk = (tree: unknown): void => {
    const { data } = tree as { readonly data?: Float32Array };
    if (data instanceof Float32Array) all.push(...data);
    else for (const each of Object.values(tree as object)) walk(each);
  };
  walk(model.weights);
  return all;
};

const farthest = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);

describe.each(Object.keys(cases))("%s", (name) => {
  test("cached gradients equal those of the whole batch", async () => {
    const whole = await tried(name, stepper, { accumulate: 2 });
    // At a learning rate of 1 the weights change by the gradients.
    const start = numbersOf(modelOf(0));
    expect(farthest(numbersOf(whole.model), start)).toBeGreaterThan(1e-3);
    for (const chunk of [1, 4, 100]) {
      const cached = await tried(name, cachedStepper(chunk), { accumulate: 2 });
      expect(farthest(numbersOf(cached.model), numbersOf(whole.model))).toBeLessThan(1e-5);
      expect(Math.abs(cached.losses[0]! - whole.losses[0]!)).toBeLessThan(1e-5);
    }
  });
});

test("with dropout, a chunk is dropped out alike both times that it goes through the model", async () => {
  const whole = await tried("pairs", stepper, { dropout: 0.2 });
  const cached = await tried("pairs", cachedStepper(BATCH * 2), { dropout: 0.2 });
  expect(farthest(numbersOf(cached.model), numbersOf(whole.model))).toBeLessThan(1e-5);
});

test("chunks divide a batch", () => {
  expect([chunkOf(64, 48), chunkOf(64, 64), chunkOf(7, 4), chunkOf(12, 100)]).toEqual([32, 64, 1, 12]);
});

test("an objective that is no loss of vectors is refused", async () => {
  const options = { batch: 2, context: 4, steps: 1, optimizer: sgd(), schedule: () => 1 };
  const given = train(engine, modelOf(0), () => ({}), { ...options, stepper: cachedStepper(2) });
  await expect(given).rejects.toThrow(/no loss of vectors/);
});

describe.each([
  ["whole", "scores", stepper],
  ["cached", "hard negatives", cachedStepper(6)],
] as const)("a run of %s batches", (_, name, make) => {
  test("that is interrupted goes on with the same bits", async () => {
    const common = { optimizer: adamw(), schedule: () => 1e-2 };
    const through = await tried(name, make, { dropout: 0.1, options: { ...common, steps: 5 } });
    let kept: Snapshot | undefined;
    const checkpoints = {
      save: async (snapshot: Snapshot) => {
        const copy = new Map(Array.from(snapshot.state, ([k, t]) => [k, { ...t, data: t.data.slice() }]));
        kept = { ...snapshot, state: copy };
      },
      load: async () => kept!,
    };
    await tried(name, make, { dropout: 0.1, options: { ...common, steps: 2, checkpoints } });
    const options = { ...common, steps: 5, checkpoints, resume: true };
    const resumed = await tried(name, make, { dropout: 0.1, options });
    expect(numbersOf(resumed.model)).toEqual(numbersOf(through.model));
    expect(resumed.losses).toEqual(through.losses.slice(2));
  });
});
