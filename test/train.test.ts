import { beforeAll, describe, expect, test } from "vitest";
import { distill, dropLayers, quantize } from "../src/compress/index.ts";
import { batches, evalBatches } from "../src/data/index.ts";
import { dataParallel } from "../src/distribute/index.ts";
import type { Engine } from "../src/engine/engine.ts";
import { scalar, type Tensor, tensor } from "../src/ir/tensor.ts";
import { gpt2, gpt2Config } from "../src/models/decoders/gpt2.ts";
import type { Model } from "../src/models/model.ts";
import { initialize, type Weight } from "../src/nn/param.ts";
import { threadTeam } from "../src/node/ranks/threadTeam.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { mul } from "../src/ops/elementwise.ts";
import { optimizers } from "../src/optim/index.ts";
import { tokenTeaching } from "../src/tasks/distillation.ts";
import { languageModelling } from "../src/tasks/languageModelling.ts";
import type { Objective } from "../src/tasks/objective.ts";
import type { BatchSource } from "../src/tasks/task.ts";
import type { Checkpoints, Snapshot } from "../src/train/checkpoint.ts";
import { type MetricsRow, type TrainHooks, type TrainOptions, train } from "../src/train/loop.ts";
import { heldOutLoss } from "../src/train/validate.ts";
import { CheckpointError } from "../src/util/errors.ts";
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

const fresh = (dropout = 0, layers = 2): Model => {
  const rates = { resid_pdrop: dropout, embd_pdrop: dropout, attn_pdrop: dropout };
  const shape = { vocab_size: alphabet.length, n_positions: T, n_embd: 32, n_layer: layers, n_head: 2 };
  const config = gpt2Config({ ...shape, ...rates });
  return { arch: gpt2, config, weights: initialize(gpt2.params(config) as never, 1), history: [] };
};

const options = (more: Partial<TrainOptions & TrainHooks> = {}): TrainOptions & TrainHooks => ({
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
const memory = () => {
  const saved: Snapshot[] = [];
  const checkpoints: Checkpoints = {
    save: async (s) => {
      saved.push({ ...s, state: clone(s.state), ...(s.best ? { best: clone(s.best) } : {}) });
    },
    load: async () => saved.at(-1)!,
  };
  return { saved, checkpoints };
};

const numbers = (model: Model): Map<string, number[]> =>
  new Map(
    Array.from(flatten<Weight>(model.weights), ([k, w]) => [
      k,
      Array.from((w as Tensor).data as Float32Array),
    ]),
  );

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine();
});

test("training lowers the loss, and one seed gives the same bits twice", async () => {
  const rows: MetricsRow[] = [];
  const a = await train(engine, fresh(0.1), source, options({ steps: 40, onRow: (row) => rows.push(row) }));
  const b = await train(engine, fresh(0.1), source, options({ steps: 40 }));
  expect(rows.at(-1)!.loss!).toBeLessThan(rows[0]!.loss! - 0.5);
  expect(numbers(a.model)).toEqual(numbers(b.model));
  expect(a.model.history.map((h) => h.name)).toEqual(["train"]);
});

test("another seed gives other dropout, hence other weights", async () => {
  const a = await train(engine, fresh(0.1), source, options({ steps: 3 }));
  const b = await train(engine, fresh(0.1), source, options({ steps: 3, seed: 9 }));
  expect(numbers(a.model)).not.toEqual(numbers(b.model));
});

describe.each([
  ["adamw, joined params", options({ evalEvery: 3, validation })],
  [
    "muon, dropout, accumulation",
    options({ evalEvery: 3, validation, optimizer: optimizers.muon(), accumulate: 2 }),
  ],
])("%s", (name, given) => {
  test("resuming after any step ends with the same bytes", async () => {
    const model = () => fresh(name.includes("dropout") ? 0.1 : 0);
    const whole = memory();
    const straight = await train(engine, model(), source, {
      ...given,
      checkpoints: whole.checkpoints,
      checkpointEvery: 1,
    });
    for (const k of [1, 2, 4, 7, 11]) {
      const from: Checkpoints = { save: async () => {}, load: async () => whole.saved[k - 1]! };
      const rest = await train(engine, model(), source, { ...given, checkpoints: from, resume: true });
      expect(numbers(rest.model), `resumed after step ${k}`).toEqual(numbers(straight.model));
      expect(rest.valLoss).toBe(straight.valLoss);
    }
  });
});

test("accumulating two micro-batches equals one batch of both", async () => {
  const double: BatchSource = async (index) => {
    const [a, b] = [await source(2 * index), await source(2 * index + 1)];
    const both = (x: Tensor, y: Tensor) =>
      Int32Array.of(...(x.data as Int32Array), ...(y.data as Int32Array));
    return {
      inputIds: tensor("int32", [2 * B, T], both(a.inputIds!, b.inputIds!)),
      labels: tensor("int32", [2 * B * T], both(a.labels!, b.labels!)),
    };
  };
  const sgd = { optimizer: optimizers.sgd(), schedule: () => 0.1, steps: 5, clipNorm: 0 };
  const one = await train(engine, fresh(), double, options({ ...sgd, batch: 2 * B }));
  const two = await train(engine, fresh(), source, options({ ...sgd, accumulate: 2 }));
  for (const [name, values] of numbers(one.model)) {
    const other = numbers(two.model).get(name)!;
    values.forEach((v, i) => {
      expect(Math.abs(v - other[i]!), name).toBeLessThan(2e-6);
    });
  }
});

test("early stopping gives back the best weights", async () => {
  // A learning rate that ruins the model after some steps.
  const schedule = (step: number) => (step < 20 ? 3e-3 : 1);
  const more = { schedule, steps: 200, evalEvery: 5, patience: 3, validation, clipNorm: 0 };
  const result = await train(engine, fresh(), source, options(more));
  expect(result.ended).toBe("early");
  expect(result.steps).toBe(result.bestStep + 15);
  const { loss } = await heldOutLoss(engine, result.model, validation);
  expect(loss).toBeCloseTo(result.valLoss!, 5);
});

test("a loss that is not finite stops the run, or is skipped and leaves no trace in the weights", async () => {
  const scaled: Objective = {
    name: "scaled",
    inputs: (shape) => ({ ...languageModelling.inputs(shape), scale: { dtype: "float32", shape: [] } }),
    totals: (outputs, { scale, ...rest }) => {
      const { total, count } = languageModelling.totals(outputs, rest);
      return { total: mul(total, scale!), count };
    },
  };
  const poisoned =
    (bad: (index: number) => boolean): BatchSource =>
    async (index) => ({ ...(await source(index)), scale: scalar(bad(index) ? Number.NaN : 1) });
  const run = (
    onNan: "stop" | "skip",
    bad: (index: number) => boolean,
    onRow: (row: MetricsRow) => void = () => {},
  ) => train(engine, fresh(), poisoned(bad), options({ objective: scaled, onNan, onRow, steps: 20 }));
  await expect(run("stop", (i) => i === 4)).rejects.toThrow(/step 5 is not finite/);
  const events: MetricsRow[] = [];
  const { model, ended } = await run(
    "skip",
    (i) => i === 4,
    (row) => row.event !== undefined && events.push(row),
  );
  expect(ended).toBe("done");
  expect(events).toHaveLength(1);
  for (const values of numbers(model).values()) expect(values.every(Number.isFinite)).toBe(true);
  await expect(run("skip", (i) => i >= 3)).rejects.toThrow(/step 13 is not finite/);
});

test("an interruption saves a checkpoint from which the run goes on to the same end", async () => {
  const straight = await train(engine, fresh(), source, options());
  const { checkpoints, saved } = memory();
  const controller = new AbortController();
  const onRow = ({ step }: MetricsRow) => step === 5 && controller.abort();
  const first = await train(
    engine,
    fresh(),
    source,
    options({ checkpoints, signal: controller.signal, onRow }),
  );
  expect(first.ended).toBe("interrupted");
  expect(saved.map((s) => s.step)).toEqual([5]);
  const second = await train(engine, fresh(), source, options({ checkpoints, resume: true }));
  expect(numbers(second.model)).toEqual(numbers(straight.model));
});

test("passes compose: cut, taught, quantized, each with its lineage", async () => {
  const context = { engine, seed: 1, log: () => {} };
  const { model: teacher } = await train(
    engine,
    fresh(0, 4),
    source,
    options({ steps: 150, validation, evalEvery: 50 }),
  );
  const whole = await heldOutLoss(engine, teacher, validation);
  const cut = await dropLayers({ keep: 2 }).run(teacher, context);
  const taught = await distill({
    teacher,
    teaching: tokenTeaching(languageModelling, {}),
    source,
    train: options({ steps: 100, validation, evalEvery: 50 }),
  }).run(cut, context);
  const [before, after] = [
    await heldOutLoss(engine, cut, validation),
    await heldOutLoss(engine, taught, validation),
  ];
  expect(before.loss - whole.loss).toBeGreaterThan(0.1);
  expect((before.loss - after.loss) / (before.loss - whole.loss)).toBeGreaterThan(0.5);
  const int8 = await quantize({ bits: 8 }).run(taught, context);
  expect(Math.abs((await heldOutLoss(engine, int8, validation)).loss - after.loss)).toBeLessThan(0.02);
  expect(int8.history.map((h) => h.name)).toEqual(["train", "dropLayers", "distill", "quantize"]);
  await expect(quantize({ bits: 4 }).run(int8, context)).rejects.toThrow(/is int8 already/);
  await expect(dropLayers({ keep: 9 }).run(teacher, context)).rejects.toThrow(/1 to the model's 4 layers/);
});

describe("frozen weights", () => {
  const frozen = (path: string): boolean => path.endsWith(".bias") || path.startsWith("transformer.h.0.");
  const given = options({ validation, evalEvery: 4, frozen });

  test.each([
    ["in one graph", {}],
    ["in three", { accumulate: 2 }],
  ])("stay as they are to the last bit, %s, and the others learn", async (_, more) => {
    const before = numbers(fresh());
    const { model, valLoss } = await train(engine, fresh(), source, { ...given, ...more });
    for (const [path, values] of numbers(model)) {
      if (frozen(path)) expect(values, path).toEqual(before.get(path));
      else expect(values, path).not.toEqual(before.get(path));
    }
    const { loss } = await heldOutLoss(engine, model, validation);
    expect(loss).toBeCloseTo(valLoss!, 5);
  });

  test("training goes on from a checkpoint, which does not hold them", async () => {
    const { checkpoints, saved } = memory();
    const straight = await train(engine, fresh(), source, { ...given, checkpoints, checkpointEvery: 5 });
    const from: Checkpoints = { save: async () => {}, load: async () => saved[0]! };
    const rest = await train(engine, fresh(), source, { ...given, checkpoints: from, resume: true });
    expect(numbers(rest.model)).toEqual(numbers(straight.model));
    expect([...saved[0]!.state.keys()].filter((name) => name.includes("bias"))).toEqual([]);
  });

  test("freezing everything is refused", async () => {
    await expect(train(engine, fresh(), source, options({ frozen: () => true }))).rejects.toThrow(
      /train.freeze.*nothing to train/,
    );
  });
});

describe("a state of something else", () => {
  const other = (vocab: number, layers = 2): Model => {
    const shape = { vocab_size: vocab, n_positions: T, n_embd: 32, n_layer: layers, n_head: 2 };
    const config = gpt2Config(shape);
    return { arch: gpt2, config, weights: initialize(gpt2.params(config) as never, 2), history: [] };
  };
  /** What a run of `model` saves after its first step. */
  const savedBy = async (model: Model, more: Partial<TrainOptions & TrainHooks> = {}): Promise<Snapshot> => {
    const { checkpoints, saved } = memory();
    await train(engine, model, source, options({ steps: 1, checkpoints, ...more }));
    return saved[0]!;
  };
  const resumed = (snapshot: Snapshot, more: Partial<TrainOptions & TrainHooks> = {}) => {
    const checkpoints: Checkpoints = { save: async () => {}, load: async () => snapshot };
    return train(engine, fresh(), source, options({ checkpoints, resume: true, ...more }));
  };
  const places: [string, Partial<TrainOptions & TrainHooks>][] = [
    ["in one graph", {}],
    ["in three", { accumulate: 2 }],
    ["on two replicas", { stepper: dataParallel(threadTeam(2)) }],
  ];

  describe.each(places)("%s", (_, more) => {
    test.each([
      [
        "more tokens",
        () => other(alphabet.length + 9),
        /wte.weight": is float32\[37, 32\] .* float32\[28, 32\]/,
      ],
      ["a layer fewer", () => other(alphabet.length, 1), /h.1.*is missing from the state/],
      ["a layer more", () => other(alphabet.length, 3), /h.2.*not in what trains/],
    ])("is refused by the tensor's name: %s", async (_name, model, message) => {
      const refused = resumed(await savedBy(model()), more);
      await expect(refused).rejects.toThrow(CheckpointError);
      await expect(refused).rejects.toThrow(message);
    });
  });

  test("is refused where it is another optimizer's, or another's best", async () => {
    const lion = await savedBy(fresh(), { optimizer: optimizers.lion({}) });
    await expect(resumed(lion)).rejects.toThrow(/opt\..*is (missing|in the state)/);
    const own = await savedBy(fresh());
    const best = new Map([["lm_head.weight", tensor("float32", [1], new Float32Array(1))]]);
    await expect(resumed({ ...own, best })).rejects.toThrow(CheckpointError);
  });

  test.each([
    [null, /field "step": is undefined/],
    [{}, /field "step": is undefined/],
    [{ step: 2, bestStep: 0, bestLoss: null, sinceBest: 0, skips: 0 }, /field "step": is 2 .* step 1$/],
    [{ step: 1, bestStep: -1, bestLoss: null, sinceBest: 0, skips: 0 }, /field "bestStep": is -1/],
    [{ step: 1, bestStep: 0, bestLoss: "1", sinceBest: 0, skips: 0 }, /field "bestLoss": is "1"/],
    [{ step: 1, bestStep: 0, bestLoss: null, sinceBest: [], skips: 0 }, /field "sinceBest": is \[\]/],
  ])("is refused where it says of its progress: %j", async (meta, message) => {
    const own = await savedBy(fresh());
    const refused = resumed({ ...own, meta: meta as never });
    await expect(refused).rejects.toThrow(CheckpointError);
    await expect(refused).rejects.toThrow(message);
  });
});
