/**
 * Every encoder and head against its reference implementation (golden/<name>.py), trained, packed and served.
 */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { grad } from "../src/autodiff/grad.ts";
import { quantize } from "../src/compress/quantize.ts";
import { maskTokens } from "../src/data/batch/masking.ts";
import { compile } from "../src/engine/compile.ts";
import type { Engine } from "../src/engine/engine.ts";
import { decodeSafetensors, encodeSafetensors } from "../src/formats/safetensors/safetensors.ts";
import { input, type Value } from "../src/ir/op.ts";
import { nodesOf, trace } from "../src/ir/program.ts";
import { type Tensor, type TensorType, tensorOf, zeros } from "../src/ir/tensor.ts";
import { modelOf } from "../src/models/checkpoint/load.ts";
import { headOf } from "../src/models/head.ts";
import { architectures } from "../src/models/index.ts";
import type { Model, ModelConfig } from "../src/models/model.ts";
import { meanLoss } from "../src/nn/loss.ts";
import { asConstants, initialize, type ParamSpec, type Weight } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { adamw } from "../src/optim/index.ts";
import { type EncodedText, encoderOf } from "../src/serve/graphs/encoder.ts";
import { graphsOf } from "../src/serve/graphs/graphs.ts";
import { encoderObjective } from "../src/tasks/encoderObjective.ts";
import { sequenceClassification } from "../src/tasks/sequenceClassification.ts";
import { stepper } from "../src/train/stepper.ts";
import { ConfigError } from "../src/util/errors.ts";
import { entries, flatten, mapTree, type Tree } from "../src/util/tree.ts";
import { encoderCases } from "./cases/encoders.ts";

interface Case {
  readonly task: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly ids: readonly (readonly number[])[];
  readonly mask: readonly (readonly number[])[];
  readonly types?: readonly (readonly number[])[];
  readonly logits: readonly number[];
  /** Of features. */
  readonly names?: Readonly<Record<string, readonly number[]>>;
  /** Of all other tasks. */
  readonly labels?: readonly number[];
  readonly loss?: number;
  readonly gradNorms?: Readonly<Record<string, number>>;
  readonly losses?: readonly number[];
}

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const isNorm = (path: string): boolean => /LayerNorm|layer_norm/.test(path) && path.endsWith("weight");

/** 0.3 sin(0.37 j + 1.3 i), plus 1 for norm weights: i numbers the sorted names, j the elements. */
const sineWeights = (specs: Tree<ParamSpec>): Tree<Tensor> => {
  const order = [...flatten<ParamSpec>(specs).keys()].sort();
  return mapTree<ParamSpec, Tensor>(specs, ({ dtype, shape }, path) => {
    const t = zeros({ dtype, shape });
    const [i, one] = [order.indexOf(path), isNorm(path) ? 1 : 0];
    (t.data as Float32Array).forEach((_, j, data) => {
      data[j] = 0.3 * Math.sin(0.37 * j + 1.3 * i) + one;
    });
    return t;
  });
};

const specsOf = (json: Readonly<Record<string, unknown>>): Tree<ParamSpec> => {
  const arch = architectures[json.model_type as string]!;
  return arch.params(arch.parse(json)) as Tree<ParamSpec>;
};

const sineModel = (json: Readonly<Record<string, unknown>>): Model => {
  const arch = architectures[json.model_type as string]!;
  return { arch, config: arch.parse(json), weights: sineWeights(specsOf(json)), history: [] };
};

const norm = (t: Tensor): number => Math.sqrt((t.data as Float32Array).reduce((s, x) => s + x * x, 0));

const worst = (got: ArrayLike<number>, want: ArrayLike<number>): number => {
  expect(got.length).toBe(want.length);
  let most = 0;
  for (let i = 0; i < want.length; i++) most = Math.max(most, Math.abs(got[i]! - want[i]!));
  return most;
};

const numbers = (t: Tensor): Float32Array => t.data as Float32Array;

type Batch = Pick<Case, "ids" | "mask" | "types">;

const feedsOf = ({ ids, mask, types }: Batch): Record<string, Tensor> => {
  const grid = (rows: readonly (readonly number[])[]) =>
    tensorOf("int32", [rows.length, rows[0]!.length], rows.flat());
  return {
    inputIds: grid(ids),
    attentionMask: grid(mask),
    ...(types === undefined ? {} : { tokenTypeIds: grid(types) }),
  };
};

const typesOf = (feeds: Readonly<Record<string, Tensor>>): Record<string, TensorType> =>
  Object.fromEntries(Object.entries(feeds).map(([k, { dtype, shape }]) => [k, { dtype, shape }]));

/** What forward gives on fixed shapes. */
const forward = async (model: Model, batch: Batch, dropoutSeed?: number): Promise<Tensor> => {
  const seed = dropoutSeed === undefined ? {} : { dropoutSeed: tensorOf("int32", [], [dropoutSeed]) };
  const feeds = { ...feedsOf(batch), ...seed };
  const program = trace(typesOf(feeds), (inputs) => ({
    logits: model.arch.forward(asConstants(model.weights), inputs as never, model.config).logits,
  }));
  const session = await compile(engine, program);
  const out = await session.run(feeds);
  await session.dispose();
  return out.logits!;
};

const textsOf = ({ ids, mask, types }: Batch): EncodedText[] =>
  ids.map((row, b) => {
    const length = mask[b]!.reduce((a, m) => a + m, 0);
    const own = types === undefined ? {} : { types: types[b]!.slice(0, length) };
    return { ids: row.slice(0, length), ...own };
  });

/** What the shipped graph gives. */
const served = async (model: Model, texts: readonly EncodedText[]): Promise<Tensor> => {
  const encoder = await encoderOf(engine, model);
  const { output } = await encoder.run(texts);
  await encoder.dispose();
  return output;
};

const lossAndGradients = async (model: Model, want: Case): Promise<Record<string, Tensor>> => {
  const labels = tensorOf("int32", [want.labels!.length], want.labels!);
  const feeds = { ...feedsOf(want), labels };
  const params = mapTree<Weight, TensorType>(model.weights, ({ dtype, shape }) => ({ dtype, shape }));
  const program = trace({ params, ...typesOf(feeds) }, (given) => {
    const {
      params: p,
      labels: wanted,
      ...inputs
    } = given as {
      params: Tree<Value>;
      labels: Value;
      inputIds: Value;
    };
    const outputs = model.arch.forward(p, inputs, model.config);
    const loss = meanLoss(encoderObjective(model).totals(outputs, { labels: wanted }));
    return { loss, gradients: grad(loss, p) };
  });
  const session = await compile(engine, program);
  const weights = Array.from(entries<Weight>(model.weights), ([path, w]) => [`params.${path}`, w as Tensor]);
  const out = await session.run({ ...Object.fromEntries(weights), ...feeds });
  await session.dispose();
  return out;
};

const train = async (model: Model, want: Case, steps: number): Promise<number[]> => {
  const [batch, context] = [want.ids.length, want.ids[0]!.length];
  const objective = encoderObjective(model);
  const made = await stepper(engine, model, {
    batch,
    context,
    optimizer: adamw({ weightDecay: 0 }),
    objective,
  });
  const read = Object.keys(objective.inputs({ batch, context, vocab: 23 }));
  const zero = want.ids.map((row) => row.map(() => 0));
  const all: Record<string, Tensor> = {
    ...feedsOf({ types: zero, ...want }),
    labels: tensorOf("int32", [want.labels!.length], want.labels!),
  };
  const feeds = Object.fromEntries(["inputIds", ...read].map((name) => [name, all[name]!]));
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const { loss } = await made.run([{ ...feeds, seed: tensorOf("int32", [], [i]) }], 1e-2, i + 1);
    losses.push(loss);
  }
  await made.dispose();
  return losses;
};

test("every encoder has a row", () => {
  const encoders = Object.values(architectures).filter(({ kind }) => kind === "encoder");
  expect(Object.keys(encoderCases).sort()).toEqual(encoders.map(({ name }) => name).sort());
});

describe.each(Object.entries(encoderCases))("%s", (name, row) => {
  const arch = architectures[name]!;
  const url = new URL(`golden/${row.golden}`, import.meta.url);
  const { cases } = JSON.parse(readFileSync(url, "utf8")) as { cases: Readonly<Record<string, Case>> };
  const first = cases["masked-lm"]!;
  const outputOf = (want: Case, b: number, t: number): Float32Array => {
    const width = want.logits.length / (want.ids.length * want.ids[0]!.length);
    const at = (b * want.ids[0]!.length + t) * width;
    return Float32Array.from(want.logits.slice(at, at + width));
  };

  test("the goldens have every task", () => {
    const tasks = new Set(Object.values(cases).map(({ task }) => task));
    expect([...tasks].sort()).toEqual(Object.keys(arch.classes).sort());
  });

  describe.each(Object.entries(cases))("equals the reference: %s", (_, want) => {
    const model = sineModel(want.config);

    test("logits", async () => {
      expect(headOf(arch, model.config)).toBe(want.task);
      expect(worst(numbers(await forward(model, want)), want.logits)).toBeLessThan(1e-4);
    });

    test("logits of the graph that is shipped, of dynamic batch and length", async () => {
      const texts = textsOf(want);
      expect(worst(numbers(await served(model, texts)), want.logits)).toBeLessThan(1e-4);
      // A text by itself, without padding.
      const encoder = await encoderOf(engine, model);
      for (const [b, text] of texts.entries()) {
        const alone = numbers((await encoder.run([text])).output);
        const count = want.task === "sequence-classification" ? 1 : text.ids.length;
        const rows = Array.from({ length: count }, (_, t) =>
          count === 1 && want.task === "sequence-classification"
            ? want.logits.slice(b * 3, b * 3 + 3)
            : Array.from(outputOf(want, b, t)),
        );
        expect(worst(alone, rows.flat()), `text ${b}`).toBeLessThan(1e-4);
      }
      await encoder.dispose();
    });

    if (want.names !== undefined) {
      test("names and shapes of the bare body", () => {
        const ours = [...flatten<ParamSpec>(specsOf(want.config))].map(([path, { shape }]) => [path, shape]);
        expect(Object.fromEntries(ours)).toEqual(want.names);
      });
      return;
    }

    test("loss and gradients", async () => {
      const { loss, ...gradients } = await lossAndGradients(model, want);
      expect(Math.abs((loss!.data[0] as number) - want.loss!)).toBeLessThan(1e-5 * want.loss!);
      const names = Object.keys(gradients).map((path) => path.replace("gradients.", ""));
      expect(names.sort()).toEqual(Object.keys(want.gradNorms!).sort());
      for (const [path, expected] of Object.entries(want.gradNorms!)) {
        // A key's bias moves all scores of a query alike: its gradient is nothing but rounding.
        const error = Math.abs(norm(gradients[`gradients.${path}`]!) - expected);
        expect(error, path).toBeLessThan(1e-3 * expected + 1e-6);
      }
    });

    test("ten steps of AdamW", async () => {
      const losses = await train(model, want, 10);
      for (const [i, expected] of want.losses!.entries()) {
        expect(Math.abs(losses[i]! - expected), `step ${i + 1}`).toBeLessThan(1e-3);
      }
    });

    test("trains from fresh weights", async () => {
      const weights = initialize(specsOf(want.config), 1);
      const losses = await train({ ...model, weights }, want, 20);
      expect(losses.at(-1)!).toBeLessThan(0.8 * losses[0]!);
    });
  });

  test("padding of any length changes nothing, whatever stands there", async () => {
    const model = sineModel(first.config);
    const pad = (model.config as { pad_token_id: number }).pad_token_id;
    const ids = [first.ids[1]!.slice(0, 5)];
    const short = numbers(await forward(model, { ids, mask: [[1, 1, 1, 1, 1]] }));
    const long = [[...ids[0]!, pad, 9, 2, pad]];
    const padded = numbers(await forward(model, { ids: long, mask: [[1, 1, 1, 1, 1, 0, 0, 0, 0]] }));
    expect(worst(padded.slice(0, short.length), short)).toBeLessThan(1e-4);
    const seen = numbers(await forward(model, { ids: long, mask: [[1, 1, 1, 1, 1, 1, 1, 1, 1]] }));
    expect(worst(seen.slice(0, short.length), short)).toBeGreaterThan(1e-2);
  });

  test("weights through safetensors and back give the same logits, bit for bit", async () => {
    for (const want of Object.values(cases)) {
      const model = sineModel(want.config);
      const chunks = encodeSafetensors(flatten<Tensor>(model.weights as Tree<Tensor>));
      const { tensors } = decodeSafetensors(new Uint8Array(Buffer.concat(chunks)), "model.safetensors");
      const loaded = modelOf(JSON.parse(JSON.stringify(model.config)), tensors, "model.safetensors");
      expect(loaded.config).toEqual(model.config);
      expect(await forward(loaded, want)).toEqual(await forward(model, want));
    }
  });

  describe("checkpoints", () => {
    const load = (config: object, tensors: ReadonlyMap<string, Tensor>, options = {}): Model =>
      modelOf({ ...row.config, ...config }, tensors, "model.safetensors", options);
    const body = (kind: string) =>
      sineModel({ ...row.config, architectures: [arch.classes[kind as "features"]] });
    const bare = (model: Model): Map<string, Tensor> =>
      new Map(
        [...flatten<Tensor>(model.weights as Tree<Tensor>)].map(([path, t]) => [
          path.replace(`${arch.base}.`, ""),
          t,
        ]),
      );

    test("of a bare body load with and without a pooler, whatever its names of old", async () => {
      const model = body("features");
      const config = { architectures: [arch.classes.features] };
      const plain = bare(model);
      expect(load(config, plain).weights).toEqual(model.weights);
      const square = tensorOf(
        "float32",
        [16, 16],
        Array.from({ length: 256 }, () => 1),
      );
      const pooled = new Map([...plain, ["pooler.dense.weight", square]]);
      if (name !== "distilbert") expect(load(config, pooled).weights).toEqual(model.weights);
      const old = [...plain].map(([path, t]): [string, Tensor] => [
        path.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"),
        t,
      ]);
      const ids: [string, Tensor] = ["embeddings.position_ids", tensorOf("int64", [1, 2], [0, 1])];
      expect(load(config, new Map([...old, ids])).weights).toEqual(model.weights);
    });

    test("of a masked language model load as it and become a classifier with a new head", () => {
      const model = body("masked-lm");
      const weights = flatten<Tensor>(model.weights as Tree<Tensor>);
      const twins = Object.entries(arch.tied!(model.config)).map(
        ([alias, one]) => [alias, weights.get(one)!] as const,
      );
      expect(twins.length).toBeGreaterThan(0);
      const tensors = new Map([...weights, ...twins]);
      const config = { architectures: [arch.classes["masked-lm"]] };
      expect(load(config, tensors).weights).toEqual(model.weights);
      const made = load(config, tensors, { task: "sequence-classification", labels: ["no", "yes", "maybe"] });
      expect(headOf(arch, made.config)).toBe("sequence-classification");
      expect((made.config as { id2label?: object }).id2label).toEqual({ 0: "no", 1: "yes", 2: "maybe" });
      const [before, after] = [flatten<Weight>(model.weights), flatten<Weight>(made.weights)];
      for (const [path, t] of after) if (before.has(path)) expect(t, path).toEqual(before.get(path));
      expect([...after.keys()].sort()).toEqual(
        [...flatten<ParamSpec>(specsOf(made.config as never)).keys()].sort(),
      );
    });
  });

  test.each(row.names)("of %s, %s is %s", (kind, theirs, ours) => {
    const config = arch.parse({ ...row.config, architectures: [kind] }) as ModelConfig;
    expect(arch.rename!(theirs, config)).toBe(ours);
    if (ours === null || kind.endsWith("Model")) return;
    expect([...flatten<ParamSpec>(specsOf(config as never)).keys()]).toContain(ours);
  });

  test("names that are right stay", () => {
    for (const { config } of Object.values(cases)) {
      const parsed = arch.parse(config) as ModelConfig;
      for (const path of flatten<ParamSpec>(specsOf(config)).keys()) {
        expect(arch.rename!(path, parsed)).toBe(path);
      }
    }
  });

  describe("dropout", () => {
    const dropping = (want: Case, rate: number): Model =>
      sineModel({ ...want.config, ...Object.fromEntries(row.dropout.map((field) => [field, rate])) });

    test("is a function of the seed, and is not there without one", async () => {
      for (const want of Object.values(cases)) {
        const model = dropping(want, 0.5);
        const one = await forward(model, want, 1);
        expect(await forward(model, want, 1)).toEqual(one);
        expect(worst(numbers(await forward(model, want, 2)), numbers(one))).toBeGreaterThan(1e-2);
        expect(worst(numbers(await forward(model, want)), want.logits)).toBeLessThan(1e-4);
      }
    });

    test("at a rate that drops nothing, the same attention in other ops gives the same logits", async () => {
      for (const want of Object.values(cases)) {
        expect(worst(numbers(await forward(dropping(want, 1e-7), want, 1)), want.logits)).toBeLessThan(1e-4);
      }
    });
  });

  test("keepLayers keeps these layers, in this order, and leaves the model alone", async () => {
    const model = sineModel(first.config);
    const before = flatten<Weight>(model.weights);
    const kept = (layers: readonly number[]): Model => ({
      ...model,
      ...arch.keepLayers(model.config, model.weights, layers),
    });
    expect((kept([1]).config as Record<string, unknown>)[row.layers]).toBe(1);
    expect([...flatten<Weight>(kept([1]).weights).keys()].sort()).toEqual(
      [...flatten<ParamSpec>(specsOf(kept([1]).config)).keys()].sort(),
    );
    expect(await forward(kept([0, 1]), first)).toEqual(await forward(model, first));
    const swapped = numbers(await forward(kept([1, 0]), first));
    expect(worst(swapped, numbers(await forward(model, first)))).toBeGreaterThan(1e-2);
    expect(flatten<Weight>(model.weights)).toEqual(before);
  });

  describe("packed", () => {
    const cosine = (a: Float32Array, b: Float32Array): number => {
      const dot = (x: Float32Array, y: Float32Array) => x.reduce((s, v, i) => s + v * y[i]!, 0);
      return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    };
    const widths =
      name === "distilbert" ? { dim: 32, hidden_dim: 64 } : { hidden_size: 32, intermediate_size: 64 };

    test.each([
      [8, 0.999],
      [4, 0.9],
    ] as const)("in %d bits stays close", async (bits, least) => {
      for (const want of Object.values(cases)) {
        const json = { ...want.config, ...widths, initializer_range: 0.2 };
        const weights = initialize(specsOf(json), 1);
        const model: Model = { ...sineModel(json), weights };
        const packed = await quantize({ bits }).run(model, {} as never);
        const texts = textsOf(want);
        const [a, b] = [await served(model, texts), await served(packed, texts)];
        expect(b.shape).toEqual(a.shape);
        expect(cosine(numbers(b), numbers(a)), want.task).toBeGreaterThan(least);
        expect(worst(numbers(b), numbers(a)), want.task).toBeGreaterThan(1e-6);
      }
    });
  });

  describe("config", () => {
    test("a parsed config parses to itself, of every task", () => {
      for (const kind of Object.values(arch.classes)) {
        const parsed = arch.parse({ ...row.config, architectures: [kind] });
        expect(arch.parse(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
      }
    });

    test("labels have Hugging Face's default names, those given, or a number", () => {
      const labels = (fields: object) =>
        (arch.parse({ ...row.config, ...fields }) as { id2label: unknown }).id2label;
      expect(labels({})).toEqual({ 0: "LABEL_0", 1: "LABEL_1" });
      expect(labels({ num_labels: 3 })).toEqual({ 0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2" });
      expect(labels({ id2label: { 0: "O", 1: "B-PER" }, num_labels: 2 })).toEqual({ 0: "O", 1: "B-PER" });
    });

    test.each(row.wrong)("%j is refused by name", (fields, message) => {
      const json = { ...row.config, ...fields };
      expect(() => arch.parse(json)).toThrow(ConfigError);
      expect(() => arch.parse(json)).toThrow(message);
    });

    test.each([[null], [[]], ["bert"], [3]])("%j is no config", (json) => {
      expect(() => arch.parse(json)).toThrow(ConfigError);
    });
  });

  test("texts that are too long, empty or of other types are refused", async () => {
    const model = sineModel(row.config);
    const long = Array.from({ length: row.positions + 1 }, () => 5);
    const ids = [long];
    await expect(forward(model, { ids, mask: [long.map(() => 1)] })).rejects.toThrow(
      /max_position_embeddings/,
    );
    const encoder = await encoderOf(engine, model);
    await expect(encoder.run([{ ids: [5] }, { ids: long }])).rejects.toThrow(
      /text 1 has \d+ tokens, more than/,
    );
    await expect(encoder.run([{ ids: [] }])).rejects.toThrow(/text 0 has no tokens/);
    await expect(encoder.run([])).rejects.toThrow(ConfigError);
    await expect(encoder.run([{ ids: [5, 6], types: [0] }])).rejects.toThrow(/2 tokens but 1 types/);
    const full = await encoder.run([{ ids: long.slice(1) }]);
    expect(full.output.shape).toEqual([1, row.positions, 23]);
    await encoder.dispose();
  });

  test("the shipped graph has transformers.js' inputs and output, and no fixed length", () => {
    for (const want of Object.values(cases)) {
      const program = graphsOf(sineModel(want.config)).model!;
      const inputs = [...entries<Value>(program.inputs)];
      const types = (want.config.type_vocab_size ?? 0) === 2 ? ["token_type_ids"] : [];
      expect(inputs.map(([path]) => path)).toEqual(["input_ids", "attention_mask", ...types]);
      for (const [, v] of inputs) {
        expect([v.dtype, ...v.shape]).toEqual(["int64", "batch_size", "sequence_length"]);
      }
      const [[output]] = [...entries<Value>(program.outputs)] as [[string, Value]];
      expect(output).toBe(want.task === "features" ? "last_hidden_state" : "logits");
      for (const node of nodesOf(program))
        expect(JSON.stringify(node.outputs[0]!.shape)).not.toContain("null");
    }
  });
});

describe("objectives", () => {
  const { config } = (
    JSON.parse(readFileSync(new URL("golden/bert.json", import.meta.url), "utf8")) as {
      cases: Record<string, Case>;
    }
  ).cases["sequence-classification"]!;

  test("the features of a text are no task to train", () => {
    const model = sineModel({ ...config, architectures: ["BertModel"] });
    expect(() => encoderObjective(model)).toThrow(/field "architectures": names a model for features/);
  });

  test.each(["multi_label_classification", "regression"])("%s can be loaded, not learnt", (problem_type) => {
    const model = sineModel({ ...config, problem_type });
    expect(() => encoderObjective(model)).toThrow(/field "problem_type": is "\w+"; only one label/);
  });

  test("a classifier of one label is refused", () => {
    const one = input("one", { dtype: "float32", shape: [2, 1] });
    const outputs = { hidden: one, logits: one, present: [] };
    expect(() => sequenceClassification().totals(outputs, { labels: one })).toThrow(/field "num_labels"/);
  });
});

describe("masking", () => {
  const special = new Set([0, 1, 2, 3]);
  const base = { vocab: 50, maskId: 3, special, seed: 7, step: 5 };
  const tokens = Array.from({ length: 40_000 }, (_, i) => (i % 10 === 0 ? i % 3 : 4 + (i % 46)));

  test("takes 15 % of the tokens: 80 % masks, 10 % others, 10 % as they were", () => {
    const { ids, labels } = maskTokens(tokens, base);
    const count = { taken: 0, masks: 0, others: 0, same: 0, free: 0 };
    tokens.forEach((id, i) => {
      if (!special.has(id)) count.free++;
      if (labels[i] === -100) {
        expect(ids[i]).toBe(id);
        return;
      }
      expect(labels[i]).toBe(id);
      expect(special.has(id)).toBe(false);
      count.taken++;
      if (ids[i] === 3) count.masks++;
      else if (ids[i] === id) count.same++;
      else count.others++;
      if (ids[i] !== 3) expect(special.has(ids[i]!)).toBe(false);
    });
    expect(count.taken / count.free).toBeCloseTo(0.15, 2);
    expect(count.masks / count.taken).toBeCloseTo(0.8, 1);
    expect(count.others / count.taken).toBeCloseTo(0.1, 1);
    expect(count.same / count.taken).toBeCloseTo(0.1, 1);
  });

  test("is a function of seed and step", () => {
    expect(maskTokens(tokens, base)).toEqual(maskTokens(tokens, base));
    for (const other of [{ seed: 8 }, { step: 6 }, { step: 5 + 2 ** 20 }]) {
      expect(maskTokens(tokens, { ...base, ...other }).labels).not.toEqual(maskTokens(tokens, base).labels);
    }
  });

  test.each([
    [{ rate: 0 }, /field "rate"/],
    [{ rate: 1.1 }, /field "rate"/],
    [{ maskId: 50 }, /field "maskId": is 50, outside the vocabulary of 50/],
    [{ vocab: 4 }, /field "vocab": has no tokens but special ones/],
  ])("%j is refused", (fields, message) => {
    expect(() => maskTokens(tokens, { ...base, ...fields })).toThrow(message);
  });
});
