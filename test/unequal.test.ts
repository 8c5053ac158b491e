/** Rows that count differently (padding, masked labels): however a batch is divided, the step is that of the whole. */
import { beforeAll, describe, expect, test } from "vitest";
import { distill } from "../src/compress/index.ts";
import { dataParallel } from "../src/distribute/index.ts";
import type { Engine, Feeds } from "../src/engine/engine.ts";
import { constant } from "../src/ir/op.ts";
import { scalar, type Tensor, type TensorType, tensorOf } from "../src/ir/tensor.ts";
import { architectures } from "../src/models/index.ts";
import type { Model, ModelConfig } from "../src/models/model.ts";
import { IGNORE } from "../src/nn/loss.ts";
import { initialize, type Weight } from "../src/nn/param.ts";
import { threadTeam } from "../src/node/ranks/threadTeam.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { mean } from "../src/ops/reduce.ts";
import { sgd } from "../src/optim/index.ts";
import { encoderObjective } from "../src/tasks/encoderObjective.ts";
import { languageModelling } from "../src/tasks/languageModelling.ts";
import type { Objective } from "../src/tasks/objective.ts";
import { sequenceToSequence } from "../src/tasks/seq2seq/sequenceToSequence.ts";
import { distillation, tokenTeaching } from "../src/tasks/teaching/distillation.ts";
import { train } from "../src/train/loop.ts";
import type { StepOptions } from "../src/train/step.ts";
import { type MakeStepper, stepper } from "../src/train/stepper.ts";
import { heldOutLoss } from "../src/train/validate.ts";
import { rng } from "../src/util/rng.ts";
import { flatten } from "../src/util/tree.ts";
import { encoderCases } from "./cases/encoders.ts";
import { modelCases } from "./cases/models.ts";
import { seq2seqCases } from "./cases/seq2seq.ts";

const [B, T, U] = [4, 8, 5];
const STEPS = 4;

const modelOf = (name: string, fields: object): Model => {
  const arch = architectures[name]!;
  const config = arch.parse(fields as never) as ModelConfig;
  return { arch, config, weights: initialize(arch.params(config) as never, 3), history: [] };
};

interface Row {
  readonly model: () => Model;
  readonly objective: (model: Model) => Objective;
  /** What a sequence has one label of. */
  readonly labels: "token" | "text" | "target";
}

const bert = (kind: string): Row => ({
  model: () => modelOf("bert", { ...encoderCases.bert!.config, architectures: [kind] }),
  objective: encoderObjective,
  labels: kind === "BertForSequenceClassification" ? "text" : "token",
});
const decoder = (name: "gpt2" | "llama", objective: Objective): Row => ({
  model: () => modelOf(name, modelCases[name]!.config),
  objective: () => objective,
  labels: "token",
});

const rows: Readonly<Record<string, Row>> = {
  "next tokens": decoder("gpt2", languageModelling),
  distillation: decoder("llama", distillation({ alpha: 0.7, temperature: 2 })),
  "masked tokens": bert("BertForMaskedLM"),
  "labels of tokens": bert("BertForTokenClassification"),
  "labels of texts": bert("BertForSequenceClassification"),
  "texts from texts": {
    model: () => modelOf("t5", seq2seqCases.t5!.config),
    objective: () => sequenceToSequence({ target: U }),
    labels: "target",
  },
};

/** A batch in which the sequences have from none to all of their labels, and are as long as they have. */
const batchOf = ({ labels }: Row, model: Model, objective: Objective, step: number): Feeds => {
  const random = rng(step, "unequal");
  const { vocab_size: vocab } = model.config as { vocab_size: number };
  const types: Record<string, TensorType> = {
    inputIds: { dtype: "int32", shape: [B, T] },
    ...objective.inputs({ batch: B, context: T, vocab }),
  };
  const width = { token: T, text: 1, target: U }[labels];
  const counted = (b: number, i: number): boolean =>
    width === 1 ? b !== step % B : i < (b * width) / (B - 1);
  const value = (name: string, i: number, length: number): number => {
    if (name === "teacherLogits") return random.normal();
    const b = Math.floor((i * B) / length);
    if (name === "labels") return counted(b, i % width) ? random.int(2) : IGNORE;
    if (name === "attentionMask") return i % T <= 1 + b ? 1 : 0;
    return name === "tokenTypeIds" ? 0 : random.int(vocab);
  };
  return Object.fromEntries(
    Object.entries(types).map(([name, { dtype, shape }]): [string, Tensor] => {
      const length = (shape as number[]).reduce((x, y) => x * y);
      const values = Array.from({ length }, (_, i) => value(name, i, length));
      return [name, tensorOf(dtype, shape as number[], values)];
    }),
  );
};

/** The sequences of a batch, each for itself. */
const oneByOne = (batch: Feeds): Feeds[] =>
  Array.from({ length: B }, (_, b) =>
    Object.fromEntries(
      Object.entries(batch).map(([name, t]) => {
        const size = t.data.length / B;
        const shape = [(t.shape[0] as number) / B, ...t.shape.slice(1)];
        return [name, { ...t, shape, data: t.data.slice(b * size, (b + 1) * size) }];
      }),
    ),
  );

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 2 });
});

interface Taken {
  readonly figures: readonly (readonly [loss: number, gradNorm: number])[];
  readonly weights: ReadonlyMap<string, readonly number[]>;
}

const take = async (
  make: MakeStepper,
  row: Row,
  options: Partial<StepOptions>,
  split: (batch: Feeds) => Feeds[],
): Promise<Taken> => {
  const model = row.model();
  const objective = row.objective(model);
  const given = { batch: B, context: T, optimizer: sgd(), objective, clipNorm: 0.5, ...options };
  const made = await make(engine, model, given);
  const figures: [number, number][] = [];
  for (let step = 1; step <= STEPS; step++) {
    const micro = split(batchOf(row, model, objective, step));
    const seed = tensorOf("int32", [], [0]);
    const { loss, gradNorm } = await made.run(
      micro.map((feeds) => ({ ...feeds, seed })),
      0.2,
      step,
    );
    figures.push([loss, gradNorm]);
  }
  const weights = new Map(
    Array.from(made.weights(), ([k, t]) => [k, Array.from(t.data as Float32Array)] as const),
  );
  await made.dispose();
  return { figures, weights };
};

const expectSame = (got: Taken, want: Taken): void => {
  for (const [i, [loss, norm]] of got.figures.entries()) {
    expect(loss / want.figures[i]![0], `loss of step ${i + 1}`).toBeCloseTo(1, 5);
    expect(norm / want.figures[i]![1], `norm of step ${i + 1}`).toBeCloseTo(1, 4);
  }
  for (const [path, values] of want.weights) {
    const other = got.weights.get(path)!;
    const worst = values.reduce((most, v, i) => Math.max(most, Math.abs(v - other[i]!)), 0);
    expect(worst, path).toBeLessThan(1e-5);
  }
};

describe.each(Object.entries(rows))("%s", (_, row) => {
  let whole: Taken;
  beforeAll(async () => {
    whole = await take(stepper, row, {}, (batch) => [batch]);
  });

  test("micro-batches of one sequence are the batch", async () => {
    expectSame(await take(stepper, row, { batch: 1, accumulate: B }, oneByOne), whole);
  });

  test("and so are replicas, with micro-batches or without", async () => {
    const two = dataParallel(threadTeam(2));
    expectSame(await take(two, row, {}, (batch) => [batch]), whole);
    const halves = (batch: Feeds): Feeds[] => {
      const [a, b, c, d] = oneByOne(batch);
      const joined = (x: Feeds, y: Feeds): Feeds =>
        Object.fromEntries(
          Object.entries(x).map(([name, t]) => [
            name,
            tensorOf(
              t.dtype,
              [2 * (t.shape[0] as number), ...t.shape.slice(1)],
              [...Array.from(t.data, Number), ...Array.from(y[name]!.data, Number)],
            ),
          ]),
        );
      return [joined(a!, b!), joined(c!, d!)];
    };
    expectSame(await take(two, row, { batch: 2, accumulate: 2 }, halves), whole);
  });

  test("held-out batches add up like one", async () => {
    const model = row.model();
    const objective = row.objective(model);
    const batch = batchOf(row, model, objective, 1);
    const together = await heldOutLoss(engine, model, [batch], objective);
    const apart = await heldOutLoss(engine, model, oneByOne(batch), objective);
    expect(apart.tokens).toBe(together.tokens);
    expect(apart.loss / together.loss).toBeCloseTo(1, 5);
  });
});

test("nothing that counts leaves the weights as they are", async () => {
  const row = rows["next tokens"]!;
  const blank = (batch: Feeds): Feeds => ({
    ...batch,
    labels: { ...batch.labels!, data: (batch.labels!.data as Int32Array).map(() => IGNORE) },
  });
  const { figures, weights } = await take(stepper, row, { batch: 1, accumulate: B }, (batch) =>
    oneByOne(blank(batch)),
  );
  expect(figures).toEqual(Array.from({ length: STEPS }, () => [0, 0]));
  const fresh = await take(stepper, row, {}, (batch) => [blank(batch)]);
  expect(weights).toEqual(fresh.weights);
});

test("a student is taught by micro-batches as by the batch", async () => {
  const row = rows["next tokens"]!;
  const [student, teacher] = [row.model(), modelOf("llama", modelCases.llama!.config)];
  const whole = (index: number) => batchOf(row, student, languageModelling, index);
  const taught = async (source: (index: number) => Feeds, batch: number, accumulate: number) => {
    const options = { batch, accumulate, context: T, steps: STEPS, schedule: () => 0.2, optimizer: sgd() };
    const pass = distill({ teacher, teaching: tokenTeaching(languageModelling, {}), source, train: options });
    return (await pass.run(student, { engine, seed: 1, log: () => {} })).weights;
  };
  const want = flatten<Weight>(await taught(whole, B, 1));
  const got = flatten<Weight>(await taught((i) => oneByOne(whole(Math.floor(i / B)))[i % B]!, 1, B));
  for (const [path, w] of want) {
    const [a, b] = [w, got.get(path)!].map((t) => (t as Tensor).data as Float32Array);
    expect(Math.max(...a!.map((x, i) => Math.abs(x - b![i]!))), path).toBeLessThan(1e-5);
  }
});

describe("what is not of rows", () => {
  const model = rows["next tokens"]!.model;
  const inputs = languageModelling.inputs;

  test("a mean over outputs counts as one a micro-batch", async () => {
    const objective: Objective = {
      name: "mean",
      inputs,
      totals: ({ logits }) => ({ total: mean(logits), count: constant(scalar(1)) }),
    };
    const row: Row = { model, objective: () => objective, labels: "token" };
    const whole = await take(stepper, row, {}, (batch) => [batch]);
    expectSame(await take(stepper, row, { batch: 1, accumulate: B }, oneByOne), whole);
  });

  test("a count that the model decides is refused by name", async () => {
    const objective: Objective = {
      name: "confident",
      inputs,
      totals: ({ logits }) => ({ total: mean(logits), count: mean(logits) }),
    };
    const options = { batch: 1, context: T, optimizer: sgd(), objective, accumulate: 2 };
    await expect(stepper(engine, model(), options)).rejects.toThrow(/"confident" counts by what the model/);
  });

  test("held-out data without what the objective reads is refused by name", async () => {
    const row = rows["masked tokens"]!;
    const encoder = row.model();
    const objective = row.objective(encoder);
    const { attentionMask: _, ...rest } = batchOf(row, encoder, objective, 1);
    const options = { batch: B, context: T, steps: 1, schedule: () => 0, optimizer: sgd(), objective };
    const source = () => batchOf(row, encoder, objective, 1);
    await expect(train(engine, encoder, source, { ...options, validation: [rest] })).rejects.toThrow(
      /field "validation": has no attentionMask, which "mlm" reads/,
    );
  });
});
