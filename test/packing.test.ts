/** Texts that share rows and see none of the others: the loss and gradients are the sums of each alone. */
import { beforeAll, describe, expect, test } from "vitest";
import { grad } from "../src/autodiff/grad.ts";
import { windowBatches } from "../src/data/batch/windows.ts";
import { compile } from "../src/engine/compile.ts";
import type { Engine, Feeds } from "../src/engine/engine.ts";
import type { Value } from "../src/ir/op.ts";
import { trace } from "../src/ir/program.ts";
import { type Tensor, tensorOf } from "../src/ir/tensor.ts";
import { architectures } from "../src/models/index.ts";
import type { Model } from "../src/models/model.ts";
import { asParams, initialize, type ParamSpec, trainedTensors } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { packedRows } from "../src/tasks/instruct/packed.ts";
import { documentFeeds, documentModelling, languageModelling } from "../src/tasks/languageModelling.ts";
import { batchTotals, type Objective } from "../src/tasks/objective.ts";
import { typesOf } from "../src/tasks/scores.ts";
import { trainBpe } from "../src/tokenizer/index.ts";
import { flatten, type Tree } from "../src/util/tree.ts";
import { draw } from "./reference.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const VOCAB = 23;
const configs: Readonly<Record<string, object>> = {
  gpt2: { vocab_size: VOCAB, n_positions: 16, n_embd: 16, n_layer: 2, n_head: 2, initializer_range: 0.2 },
  llama: {
    ...{ vocab_size: VOCAB, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 2, head_dim: 8 },
    ...{
      num_attention_heads: 4,
      num_key_value_heads: 2,
      max_position_embeddings: 64,
      initializer_range: 0.2,
    },
  },
};

const modelOf = (name: string): Model => {
  const arch = architectures[name]!;
  const config = arch.parse({ ...configs[name], model_type: name });
  return { arch, config, weights: initialize(arch.params(config) as Tree<ParamSpec>, 1), history: [] };
};

/** Loss and gradients of a batch, added up. */
const measured = async (model: Model, objective: Objective, batch: Feeds) => {
  const weights = new Map(trainedTensors(model.weights));
  const params = Object.fromEntries(
    Array.from(weights, ([name, { dtype, shape }]) => [name, { dtype, shape }]),
  );
  const program = trace({ params, batch: typesOf([batch]) }, (v) => {
    const { total } = batchTotals(
      model,
      asParams(model.weights, flatten<Value>(v.params)),
      objective,
      v.batch,
    );
    return { total, grads: grad(total, v.params) };
  });
  const session = await compile(engine, program);
  const feeds = [
    ...Array.from(weights, ([name, t]): [string, Tensor] => [`params.${name}`, t]),
    ...Object.entries(batch).map(([name, t]): [string, Tensor] => [`batch.${name}`, t]),
  ];
  const out = await session.run(Object.fromEntries(feeds));
  await session.dispose();
  return new Map(Object.entries(out).map(([name, t]) => [name, Array.from(t.data as Float32Array)]));
};

type Measured = Awaited<ReturnType<typeof measured>>;

const added = (all: readonly Measured[]): Measured =>
  all.reduce(
    (a, b) => new Map(Array.from(a, ([name, xs]) => [name, xs.map((x, i) => x + b.get(name)![i]!)])),
  );

const worst = (a: Measured, b: Measured): number =>
  Math.max(...Array.from(a, ([name, xs]) => Math.max(...xs.map((x, i) => Math.abs(x - b.get(name)![i]!)))));

/** Each text [T] as a row of its own: every token says the next. */
const alone = (ids: readonly number[]): Feeds => ({
  inputIds: tensorOf("int32", [1, ids.length], ids),
  labels: tensorOf("int32", [ids.length], [...ids.slice(1), -100]),
});

const texts = [5, 3, 6, 2, 4].map((n, i) => draw(`text ${i}`, n, 2, VOCAB - 1).map(Math.floor));

describe.each(Object.keys(configs))("%s", (name) => {
  const model = modelOf(name);
  const singles = () => Promise.all(texts.map((ids) => measured(model, languageModelling, alone(ids))));

  test("windows of documents", async () => {
    // Two rows of 12: three texts and one token of padding, two texts and six.
    const rows = [texts.slice(0, 3), texts.slice(3)];
    const row = (some: typeof texts, of: (ids: readonly number[], i: number) => number[], pad: number) => {
      const all = some.flatMap(of);
      return [...all, ...new Array<number>(14 - all.length).fill(pad)];
    };
    const ints = (of: (ids: readonly number[], i: number) => number[], pad: number) =>
      rows.flatMap((some) => row(some, of, pad));
    const batch = {
      inputIds: tensorOf(
        "int32",
        [2, 14],
        ints((ids) => [...ids], 0),
      ),
      labels: tensorOf(
        "int32",
        [28],
        ints((ids) => [...ids.slice(1), -100], -100),
      ),
      ...documentFeeds(Int32Array.from(ints((ids, i) => ids.map(() => i), -1)), [2, 14]),
    };
    const together = await measured(model, documentModelling, batch);
    const apart = added(await singles());
    expect(worst(together, apart)).toBeLessThan(1e-5);
    // Attention across them makes another loss.
    const { inputIds, labels } = batch;
    const seen = await measured(model, languageModelling, { inputIds, labels });
    expect(Math.abs(seen.get("total")![0]! - apart.get("total")![0]!)).toBeGreaterThan(1e-2);
  });

  test("examples with labelled answers", async () => {
    const answered = texts.map((ids, i) => ({
      ids: Int32Array.from(ids),
      labels: Int32Array.from(ids, (_, t) => (t > i % 2 && t + 1 < ids.length ? ids[t + 1]! : -100)),
    }));
    const tokenizer = trainBpe(["a b"], { vocab: 260 });
    const options = { model, tokenizer, batch: 2, context: 10, seed: 1, heldOutTokens: 0 };
    const lesson = packedRows(answered, options, languageModelling);
    expect([lesson.context, lesson.epoch]).toEqual([10, 1]);
    const together = await measured(model, lesson.objective, await lesson.source(0));
    const apart = await Promise.all(
      answered.map(({ ids, labels }) =>
        measured(model, languageModelling, {
          inputIds: tensorOf("int32", [1, ids.length], Array.from(ids)),
          labels: tensorOf("int32", [ids.length], Array.from(labels)),
        }),
      ),
    );
    expect(worst(together, added(apart))).toBeLessThan(1e-5);
  });
});

test("positions count anew in each document and each row", () => {
  const { positionIds } = documentFeeds(Int32Array.of(0, 0, 1, 1, 1, -1, 1, 1, 2, 0, 0, 0), [2, 6]);
  expect(Array.from(positionIds!.data, Number)).toEqual([0, 1, 0, 1, 2, 0, 0, 1, 0, 0, 1, 2]);
  const tokens = {
    length: 10,
    subarray: (a: number, b: number) => Uint32Array.from({ length: b - a }, (_, i) => a + i),
    pieces: () => ({ starts: [0, 3], used: 5 }),
  };
  const { labels, documents } = windowBatches({ tokens, batch: 1, context: 4, documentMask: true })(0);
  expect(Array.from(labels).filter((label) => label === -100)).toHaveLength(1);
  expect(Array.from(documents)).toEqual([0, 0, 0, 1]);
});
