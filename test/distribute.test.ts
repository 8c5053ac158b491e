/** Training on several threads: the same as on one but for rounding, and exact in itself. */
import { beforeAll, describe, expect, test } from "vitest";
import { batches, evalBatches } from "../src/data/index.ts";
import { dataParallel } from "../src/distribute/index.ts";
import type { Engine } from "../src/engine/engine.ts";
import { scalar, type Tensor, tensor, tensorOf } from "../src/ir/tensor.ts";
import { gpt2, gpt2Config } from "../src/models/decoders/gpt2.ts";
import type { Model } from "../src/models/model.ts";
import { initialize, type Weight } from "../src/nn/param.ts";
import { threadTeam } from "../src/node/ranks/threadTeam.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { mul } from "../src/ops/elementwise.ts";
import { mean } from "../src/ops/reduce.ts";
import { chain, clipByGlobalNorm, type OptimizerName, optimizers } from "../src/optim/index.ts";
import { languageModelling } from "../src/tasks/languageModelling.ts";
import type { Objective } from "../src/tasks/objective.ts";
import type { BatchSource } from "../src/tasks/task.ts";
import type { Checkpoints, Snapshot } from "../src/train/checkpoint.ts";
import { type MetricsRow, type TrainHooks, type TrainOptions, train } from "../src/train/loop.ts";
import { flatten } from "../src/util/tree.ts";

const B = 4;
const T = 16;
const text =
  "the quick brown fox jumps over the lazy dog and then the dog sleeps while the fox runs. ".repeat(12);
const alphabet = [...new Set(text)].sort();
const tokens = Uint32Array.from(text, (c) => alphabet.indexOf(c));

const feeds = ({ inputIds, labels }: { inputIds: Int32Array; labels: Int32Array }) => ({
  inputIds: tensor("int32", [B, T], inputIds),
  labels: tensor("int32", [B * T], labels),
});
const source: BatchSource = (index) => feeds(batches({ tokens, batch: B, context: T, seed: 2 })(index));
const validation = evalBatches({ tokens: tokens.subarray(0, 300), batch: B, context: T }).map(feeds);

const fresh = (dropout = 0): Model => {
  const rates = { resid_pdrop: dropout, embd_pdrop: dropout, attn_pdrop: dropout };
  const shape = { vocab_size: alphabet.length, n_positions: T, n_embd: 32, n_layer: 2, n_head: 2 };
  const config = gpt2Config({ ...shape, ...rates });
  return { arch: gpt2, config, weights: initialize(gpt2.params(config) as never, 1), history: [] };
};

type Options = TrainOptions & TrainHooks;
const options = (replicas: number, more: Partial<Options> = {}): Options => ({
  batch: B,
  context: T,
  steps: 10,
  optimizer: optimizers.adamw({ weightDecay: 0.1 }),
  schedule: () => 3e-3,
  seed: 1,
  clipNorm: 1,
  ...(replicas > 1 ? { stepper: dataParallel(threadTeam(replicas)) } : {}),
  ...more,
});

const numbers = (model: Model): Map<string, number[]> =>
  new Map(
    Array.from(flatten<Weight>(model.weights), ([k, w]) => [
      k,
      Array.from((w as Tensor).data as Float32Array),
    ]),
  );

const rowsOf = async (model: Model, given: Options): Promise<MetricsRow[]> => {
  const rows: MetricsRow[] = [];
  await train(engine, model, source, { ...given, onRow: (row) => rows.push(row) });
  return rows;
};

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 2 });
});

const settings: [string, Partial<Options>][] = [
  ["adamw, joined params", {}],
  ["clipping by value and by norm", { clipValue: 0.02, clipNorm: 0.1 }],
  [
    "lion, whose first moment cannot be updated in place",
    { optimizer: optimizers.lion({}), schedule: () => 3e-4 },
  ],
  ["lamb, accumulation", { optimizer: optimizers.lamb({}), accumulate: 2 }],
];

const others = (Object.keys(optimizers) as OptimizerName[]).map((name): [string, Partial<Options>] => [
  name,
  { optimizer: optimizers[name]({ weightDecay: 0.1 }), schedule: () => 1e-3 },
]);

describe.each([...settings, ...others])("%s", (_, more) => {
  test("two and four replicas take the steps of one", async () => {
    const one = await rowsOf(fresh(), options(1, more));
    for (const count of [2, 4]) {
      const several = await rowsOf(fresh(), options(count, more));
      expect(several).toHaveLength(one.length);
      for (const [i, row] of several.entries()) {
        expect(row.loss! / one[i]!.loss!, `loss of step ${row.step}`).toBeCloseTo(1, 4);
        expect(row.gradNorm! / one[i]!.gradNorm!, `norm of step ${row.step}`).toBeCloseTo(1, 3);
      }
    }
  });
});

describe.each([
  ["adamw", {}],
  ["muon, dropout, accumulation", { optimizer: optimizers.muon(), accumulate: 2 }],
  ["lion", { optimizer: optimizers.lion({}) }],
] as [string, Partial<Options>][])("%s on two replicas", (name, more) => {
  const model = () => fresh(name.includes("dropout") ? 0.1 : 0);
  const given = options(2, { evalEvery: 3, validation, ...more });
  const clone = (from: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
    new Map(Array.from(from, ([k, t]) => [k, { ...t, data: t.data.slice() }]));

  test("one seed gives the same bits, and so does resuming after any step", async () => {
    const saved: Snapshot[] = [];
    const save = async (s: Snapshot) => {
      saved.push({ ...s, state: clone(s.state), ...(s.best ? { best: clone(s.best) } : {}) });
    };
    const checkpoints: Checkpoints = { save, load: async () => saved.at(-1)! };
    const straight = await train(engine, model(), source, { ...given, checkpoints, checkpointEvery: 1 });
    expect(numbers((await train(engine, model(), source, given)).model)).toEqual(numbers(straight.model));
    for (const k of [1, 4, 9]) {
      const from: Checkpoints = { save: async () => {}, load: async () => saved[k - 1]! };
      const rest = await train(engine, model(), source, { ...given, checkpoints: from, resume: true });
      expect(numbers(rest.model), `resumed after step ${k}`).toEqual(numbers(straight.model));
    }
  });
});

test("a checkpoint knows nothing of replicas: one goes on where two have stopped", async () => {
  const saved: Snapshot[] = [];
  const checkpoints: Checkpoints = { save: async (s) => void saved.push(s), load: async () => saved[0]! };
  const whole = await rowsOf(fresh(), options(2));
  await train(engine, fresh(), source, { ...options(2, { checkpoints }), steps: 6 });
  const rest = await rowsOf(fresh(), options(1, { checkpoints, resume: true }));
  const losses = (rows: readonly MetricsRow[]) =>
    rows.flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
  expect(losses(rest)).toHaveLength(4);
  for (const [i, loss] of losses(rest).entries()) expect(loss).toBeCloseTo(losses(whole)[6 + i]!, 4);
});

test("an update that is not finite is left out on all replicas, and leaves no trace", async () => {
  const objective: Objective = {
    name: "scaled",
    inputs: (shape) => ({ ...languageModelling.inputs(shape), scale: { dtype: "float32", shape: [] } }),
    totals: (outputs, { scale, ...rest }) => {
      const { total, count } = languageModelling.totals(outputs, rest);
      return { total: mul(total, scale!), count };
    },
  };
  const poisoned: BatchSource = async (index) => ({
    ...(await source(index)),
    scale: scalar(index === 4 ? Number.POSITIVE_INFINITY : 1),
  });
  const rows: MetricsRow[] = [];
  const more = { objective, onNan: "skip" as const, onRow: (row: MetricsRow) => rows.push(row) };
  const { model } = await train(engine, fresh(), poisoned, options(2, more));
  expect(rows.filter(({ event }) => event !== undefined)).toHaveLength(1);
  for (const values of numbers(model).values()) expect(values.every(Number.isFinite)).toBe(true);
  expect(rows.at(-1)!.loss!).toBeLessThan(rows[0]!.loss!);
});

test("an input without rows for the sequences goes to every replica whole", async () => {
  const objective: Objective = {
    name: "weighted",
    inputs: (shape) => ({ ...languageModelling.inputs(shape), weights: { dtype: "float32", shape: [B] } }),
    totals: (outputs, { weights, ...rest }) => {
      const { total, count } = languageModelling.totals(outputs, rest);
      return { total: mul(total, mean(weights!)), count };
    },
  };
  const weighted: BatchSource = async (index) => ({
    ...(await source(index)),
    weights: tensorOf("float32", [B], [0.5, 1, 2, 4]),
  });
  const losses = async (replicas: number) => {
    const rows: MetricsRow[] = [];
    const more = { objective, onRow: (row: MetricsRow) => rows.push(row) };
    await train(engine, fresh(), weighted, options(replicas, more));
    return rows.map(({ loss }) => loss!);
  };
  const [one, two] = [await losses(1), await losses(2)];
  for (const [i, loss] of two.entries()) expect(loss / one[i]!, `step ${i + 1}`).toBeCloseTo(1, 4);
});

describe("what cannot be trained so", () => {
  test("a batch that does not divide", async () => {
    await expect(train(engine, fresh(), source, options(3))).rejects.toThrow(
      /train.replicas.*4 does not divide among 3/,
    );
  });

  test.each([2, 8])("a micro-batch of %i sequences where four are told", async (rows) => {
    const wrong: BatchSource = (index) => {
      const { inputIds, labels } = batches({ tokens, batch: rows, context: T, seed: 2 })(index);
      return {
        inputIds: tensor("int32", [rows, T], inputIds),
        labels: tensor("int32", [rows * T], labels),
      };
    };
    await expect(train(engine, fresh(), wrong, options(2))).rejects.toThrow(/batch.inputIds.*\[4, 16\]/);
  });

  test("no number of replicas", () => {
    expect(() => threadTeam(0)).toThrow(/train.replicas/);
    expect(() => threadTeam(1.5)).toThrow(/train.replicas/);
  });

  test("clipping by the norm of a shard's steps", async () => {
    const optimizer = chain("late", optimizers.sgd(), clipByGlobalNorm(1));
    await expect(train(engine, fresh(), source, options(2, { optimizer }))).rejects.toThrow(
      /must come first/,
    );
  });

  test.each([
    ["first", 0, /out of bounds|indices/i],
    ["second", B * T - 1, /replica 1 failed/],
  ])("a batch that fails on the %s replica", async (_, at, message) => {
    const broken: BatchSource = async (index) => {
      const { inputIds, labels } = await source(index);
      if (index === 3) (inputIds!.data as Int32Array)[at] = 1_000;
      return { inputIds: inputIds!, labels: labels! };
    };
    await expect(train(engine, fresh(), broken, options(2))).rejects.toThrow(message);
  });
});
