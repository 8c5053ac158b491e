import { describe, expect, test } from "vitest";
import { distill, dropLayers, quantize } from "../../src/compress/index.ts";
import { scalar, type Tensor, tensor } from "../../src/ir/tensor.ts";
import { mul } from "../../src/ops/elementwise.ts";
import { optimizers } from "../../src/optim/index.ts";
import { languageModelling } from "../../src/tasks/languageModelling.ts";
import type { Objective } from "../../src/tasks/objective.ts";
import type { BatchSource } from "../../src/tasks/task.ts";
import { tokenTeaching } from "../../src/tasks/teaching/distillation.ts";
import type { Checkpoints } from "../../src/train/checkpoint.ts";
import { type MetricsRow, train } from "../../src/train/loop.ts";
import { heldOutLoss } from "../../src/train/validate.ts";
import { B, engine, fresh, memory, numbers, options, source, T, validation } from "./quickFox.ts";

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
  ["a moving average", options({ evalEvery: 3, validation, average: { ema: 0.8 } })],
  [
    "the mean of the last checkpoints",
    options({ evalEvery: 3, validation, checkpointEvery: 1, average: { last: 11 } }),
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

test.each([
  ["a moving average", { ema: 0.5 }, [1 / 8, 1 / 4, 1 / 2, 1]],
  ["a mean", { last: 3 }, [0, 1, 1, 1]],
])("%s of the weights is what is measured, the best and the result", async (_, average, factors) => {
  const { checkpoints, saved } = memory();
  const rows: MetricsRow[] = [];
  const given = {
    average,
    steps: 4,
    checkpoints,
    checkpointEvery: 1,
    onRow: (r: MetricsRow) => rows.push(r),
  };
  const measured = await train(engine, fresh(), source, options({ ...given, validation }));
  const { model } = await train(engine, fresh(), source, options({ average, steps: 4, checkpointEvery: 1 }));
  const total = factors.reduce((a, b) => a + b);
  for (const [name, values] of numbers(model)) {
    const at = saved.map(({ state }) => state.get(`params.${name}`)!.data as Float32Array);
    values.forEach((value, i) => {
      const mean = at.reduce((sum, data, n) => sum + (factors[n]! / total) * data[i]!, 0);
      expect(Math.abs(value - mean), name).toBeLessThan(1e-6);
    });
  }
  expect(numbers(measured.model)).toEqual(numbers(model));
  const { loss } = await heldOutLoss(engine, model, validation);
  expect(rows.find(({ valLoss }) => valLoss !== undefined)!.valLoss).toBeCloseTo(loss, 5);
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

test("the last weights are the result where they are asked for, and nothing stops early", async () => {
  const schedule = (step: number) => (step < 20 ? 3e-3 : 0.1);
  const more = { schedule, steps: 40, evalEvery: 5, patience: 1, validation, clipNorm: 0 };
  const losses: number[] = [];
  const onRow = ({ valLoss }: { readonly valLoss?: number }) =>
    valLoss === undefined ? undefined : losses.push(valLoss);
  const result = await train(engine, fresh(), source, { ...options(more), keep: "last", onRow });
  expect(result).toMatchObject({ ended: "done", steps: 40, bestStep: 40, valLoss: losses.at(-1) });
  expect(result.valLoss).toBeGreaterThan(Math.min(...losses));
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
