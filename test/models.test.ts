/**
 * Every architecture against its reference implementation (golden/<name>.py) and against itself with a cache.
 */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { grad } from "../src/autodiff/grad.ts";
import { quantized } from "../src/compress/quantize.ts";
import { compile } from "../src/engine/compile.ts";
import type { Engine } from "../src/engine/engine.ts";
import { decodeSafetensors, encodeSafetensors } from "../src/formats/safetensors/safetensors.ts";
import { constant } from "../src/ir/op.ts";
import { type Program, trace } from "../src/ir/program.ts";
import { scalar, type Tensor, type TensorType, tensorOf, zeros } from "../src/ir/tensor.ts";
import { modelOf } from "../src/models/checkpoint/load.ts";
import { architectures, headOf } from "../src/models/index.ts";
import type { Model } from "../src/models/model.ts";
import { countedLabels, crossEntropy, meanLoss, totalsOver } from "../src/nn/loss.ts";
import { asConstants, initialize, type ParamSpec, type Weight } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { mul } from "../src/ops/elementwise.ts";
import { mean } from "../src/ops/reduce.ts";
import { reshape } from "../src/ops/structure.ts";
import { adamw } from "../src/optim/index.ts";
import { decoder } from "../src/serve/decode/decoding.ts";
import { decoderProgram } from "../src/serve/graphs/decoder.ts";
import { languageModelling } from "../src/tasks/languageModelling.ts";
import type { Objective } from "../src/tasks/objective.ts";
import { stepper } from "../src/train/stepper.ts";
import { ConfigError } from "../src/util/errors.ts";
import { entries, flatten, mapTree, type Tree } from "../src/util/tree.ts";
import { modelCases } from "./cases/models.ts";

interface Golden {
  readonly cases: Readonly<Record<string, GoldenCase>>;
}
interface GoldenCase {
  readonly config: { readonly vocab_size: number };
  readonly ids: readonly (readonly number[])[];
  readonly mask?: readonly (readonly number[])[];
  readonly positions?: readonly (readonly number[])[];
  /** Absent for features. */
  readonly labels?: readonly number[];
  readonly shape: readonly number[];
  readonly logits: readonly number[];
  readonly loss: number;
  readonly gradNorms: Readonly<Record<string, number>>;
  readonly losses: readonly number[];
}

/** Two rows of eight tokens. */
const IDS = [0, 1].map((b) => Array.from({ length: 8 }, (_, t) => (7 * t + 3 + 5 * b) % 23));

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const specsOf = (name: string, config: unknown): Tree<ParamSpec> => {
  const arch = architectures[name]!;
  return arch.params(arch.parse(config)) as Tree<ParamSpec>;
};

/**
 * 0.3 sin(0.37 j + 1.3 i), plus 1 for norm weights: i numbers the sorted names, j the elements; see
 * golden/decoders.py.
 */
const sineWeights = (specs: Tree<ParamSpec>): Tree<Tensor> => {
  const order = [...flatten<ParamSpec>(specs).keys()].sort();
  return mapTree<ParamSpec, Tensor>(specs, ({ dtype, shape }, path) => {
    const t = zeros({ dtype, shape });
    const [i, one] = [order.indexOf(path), /norm|ln_/.test(path) && path.endsWith("weight") ? 1 : 0];
    (t.data as Float32Array).forEach((_, j, data) => {
      data[j] = 0.3 * Math.sin(0.37 * j + 1.3 * i) + one;
    });
    return t;
  });
};

const sineModel = (name: string, config: unknown): Model => {
  const arch = architectures[name]!;
  return { arch, config: arch.parse(config), weights: sineWeights(specsOf(name, config)), history: [] };
};

const norm = (t: Tensor): number => Math.sqrt((t.data as Float32Array).reduce((s, x) => s + x * x, 0));

/** Logits [rows, T, V] of the full forward on ids of one length; with dropout where a seed is given. */
const fullLogits = async (
  model: Model,
  ids: readonly (readonly number[])[],
  dropoutSeed?: number,
): Promise<Tensor> => {
  const shape = [ids.length, ids[0]!.length];
  const spec = {
    ids: { dtype: "int32", shape } as TensorType,
    ...(dropoutSeed === undefined ? {} : { seed: { dtype: "int32", shape: [] } as TensorType }),
  };
  const program = trace(spec, ({ ids: inputIds, seed }) => {
    const inputs = seed === undefined ? { inputIds } : { inputIds, dropoutSeed: seed };
    return { logits: model.arch.forward(asConstants(model.weights), inputs, model.config).logits };
  });
  const session = await compile(engine, program);
  const seeds = dropoutSeed === undefined ? {} : { seed: tensorOf("int32", [], [dropoutSeed]) };
  const out = await session.run({ ids: tensorOf("int32", shape, ids.flat()), ...seeds });
  await session.dispose();
  return out.logits!;
};

const worst = (got: ArrayLike<number>, want: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < want.length; i++) most = Math.max(most, Math.abs(got[i]! - want[i]!));
  return most;
};

/** The inputs of a golden's forward pass. */
const inputsOf = ({ ids, mask, positions }: GoldenCase): Record<string, Tensor> => {
  const rows = (values: readonly (readonly number[])[]): Tensor =>
    tensorOf("int32", [ids.length, ids[0]!.length], values.flat());
  return {
    inputIds: rows(ids),
    ...(mask === undefined ? {} : { attentionMask: rows(mask) }),
    ...(positions === undefined ? {} : { positionIds: rows(positions) }),
  };
};

const typesOf = (tensors: Readonly<Record<string, Tensor>>): Record<string, TensorType> =>
  Object.fromEntries(Object.entries(tensors).map(([name, { dtype, shape }]) => [name, { dtype, shape }]));

/** What golden/decoders.py minimises: labels of texts, of tokens, or a weighted mean of features. */
const objectiveOf = (want: GoldenCase): Objective => ({
  name: "golden",
  inputs: () => {
    const { inputIds: _, ...rest } = typesOf(inputsOf(want));
    const { labels } = want;
    return {
      ...rest,
      ...(labels === undefined ? {} : { labels: { dtype: "int32", shape: [labels.length] } as const }),
    };
  },
  totals: (outputs, { labels }) => {
    if (outputs.head !== undefined) return languageModelling.totals(outputs, { labels: labels! });
    const { logits } = outputs;
    const shape = logits.shape as number[];
    if (labels !== undefined) {
      const n = labels.shape[0] as number;
      const { counts, safe } = countedLabels(labels);
      const losses = crossEntropy(reshape(logits, [n, shape.at(-1)!]), reshape(safe, [n, 1]));
      return totalsOver(losses, reshape(counts, [n, 1]));
    }
    const size = shape.reduce((x, y) => x * y);
    const counts = want.mask?.flat();
    const ramp = Array.from({ length: size }, (_, j) => {
      return counts?.[Math.floor(j / shape[2]!)] === 0 ? 0 : Math.sin(Math.fround(0.7 * j));
    });
    const total = mean(mul(logits, constant(tensorOf("float32", shape, ramp))));
    return { total, count: constant(scalar(1)) };
  },
});

const labelFeeds = ({ labels }: GoldenCase): Record<string, Tensor> =>
  labels === undefined ? {} : { labels: tensorOf("int32", [labels.length], labels) };

/** Compiles, feeds what the graph reads and disposes. */
const runOnce = async (program: Program, feeds: Readonly<Record<string, Tensor>>) => {
  const session = await compile(engine, program);
  const used = Object.entries(feeds).filter(([name]) => session.inputNames.includes(name));
  const out = await session.run(Object.fromEntries(used));
  await session.dispose();
  return out;
};

/** The logits of a golden's inputs. */
const goldenLogits = async (model: Model, want: GoldenCase): Promise<Tensor> => {
  const feeds = inputsOf(want);
  const program = trace(typesOf(feeds), (given) => {
    const inputs = { inputIds: given.inputIds!, ...given };
    return { logits: model.arch.forward(asConstants(model.weights), inputs, model.config).logits };
  });
  return (await runOnce(program, feeds)).logits!;
};

/** The step's loss and gradients without an optimizer. */
const lossAndGradients = async (model: Model, want: GoldenCase): Promise<Record<string, Tensor>> => {
  const types = mapTree<Weight, TensorType>(model.weights, ({ dtype, shape }) => ({ dtype, shape }));
  const feeds = { ...inputsOf(want), ...labelFeeds(want) };
  const program = trace({ params: types, batch: typesOf(feeds) }, (v) => {
    const inputs = { inputIds: v.batch.inputIds!, ...v.batch };
    const outputs = model.arch.forward(v.params, inputs, model.config);
    const loss = meanLoss(objectiveOf(want).totals(outputs, v.batch));
    return { loss, gradients: grad(loss, v.params) };
  });
  const weights = Array.from(entries<Weight>(model.weights), ([path, w]) => [`params.${path}`, w as Tensor]);
  const batch = Object.entries(feeds).map(([name, t]) => [`batch.${name}`, t]);
  return runOnce(program, Object.fromEntries([...weights, ...batch]));
};

/** Largest difference of two results [B, T, ...], or [B, ...], where the mask of the golden counts. */
const worstCounted = (got: ArrayLike<number>, { logits, mask, shape }: GoldenCase): number => {
  if (mask === undefined || shape.length < 3) return worst(got, logits);
  const counts = mask.flat();
  const width = logits.length / counts.length;
  return logits.reduce((most, x, i) => {
    return counts[Math.floor(i / width)] === 0 ? most : Math.max(most, Math.abs(got[i]! - x));
  }, 0);
};

test("every decoder has a row", () => {
  const decoders = Object.values(architectures).filter(({ kind }) => kind === "decoder");
  expect(Object.keys(modelCases).sort()).toEqual(decoders.map(({ name }) => name).sort());
});

describe.each(Object.entries(modelCases))("%s", (name, row) => {
  const arch = architectures[name]!;
  const golden = JSON.parse(readFileSync(new URL(`golden/${row.golden}`, import.meta.url), "utf8")) as Golden;

  describe.each(Object.entries(golden.cases))("equals the reference: %s", (_, want) => {
    const model = sineModel(name, want.config);

    test("logits", async () => {
      const logits = await goldenLogits(model, want);
      expect(logits.shape).toEqual(want.shape);
      expect(worstCounted(logits.data as Float32Array, want)).toBeLessThan(1e-4);
    });

    test("loss and gradients", async () => {
      const { loss, ...gradients } = await lossAndGradients(model, want);
      expect(Math.abs((loss!.data[0] as number) - want.loss)).toBeLessThan(1e-5 * Math.max(1, want.loss));
      const names = Object.keys(gradients).map((path) => path.replace("gradients.", ""));
      expect(names.sort()).toEqual(Object.keys(want.gradNorms).sort());
      const largest = Math.max(...Object.values(want.gradNorms));
      for (const [path, expected] of Object.entries(want.gradNorms)) {
        // A bias of keys changes the scores through the rotation only: its norm may be but rounding.
        const error = Math.abs(norm(gradients[`gradients.${path}`]!) - expected);
        expect(error, path).toBeLessThan(1e-3 * expected + 1e-7 * largest);
      }
    });

    test("ten steps of AdamW", async () => {
      const [batch, context] = [want.ids.length, want.ids[0]!.length];
      const optimizer = adamw({ weightDecay: 0 });
      const options = { batch, context, optimizer, objective: objectiveOf(want) };
      const steps = await stepper(engine, model, options);
      const feeds = { ...inputsOf(want), ...labelFeeds(want), seed: tensorOf("int32", [], [0]) };
      for (const [i, expected] of want.losses.entries()) {
        const { loss } = await steps.run([feeds], 1e-2, i + 1);
        const error = Math.abs(loss - expected) / Math.max(1, Math.abs(expected));
        // Adam makes full steps of gradients that are but rounding, such as those of a bias of keys.
        expect(error, `step ${i + 1}`).toBeLessThan(5e-4);
      }
      await steps.dispose();
    });
  });

  test("weights through safetensors and back give the same logits, bit for bit", async () => {
    const model = sineModel(name, row.config);
    const chunks = encodeSafetensors(flatten<Tensor>(model.weights as Tree<Tensor>));
    const bytes = new Uint8Array(Buffer.concat(chunks));
    const { tensors } = decodeSafetensors(bytes, "model.safetensors");
    const loaded = modelOf(JSON.parse(JSON.stringify(model.config)), tensors, "model.safetensors");
    expect(loaded.config).toEqual(model.config);
    expect(await fullLogits(loaded, IDS)).toEqual(await fullLogits(model, IDS));
  });

  describe("decoding", () => {
    /** Rows of different lengths, padded on the left; then one token at a time. */
    const rows = [
      [3, 10, 17, 1, 8],
      [5, 12, 19],
    ];
    const more = [
      [2, 9, 16],
      [21, 0, 7],
    ];
    const VOCAB = 23;

    const decode = async (model: Model): Promise<Float32Array[][]> => {
      const session = await compile(engine, decoderProgram(model));
      const { layers, kvHeads, headWidth } = arch.cache(model.config);
      const past: Record<string, Tensor> = {};
      for (let i = 0; i < layers; i++) {
        for (const part of ["key", "value"]) {
          past[`past_key_values.${i}.${part}`] = tensorOf("float32", [2, kvHeads, 0, headWidth], []);
        }
      }
      const long = Math.max(...rows.map((r) => r.length));
      const padded = rows.map((r) => long - r.length);
      const seen: Float32Array[][] = rows.map(() => []);
      const call = async (start: number, fresh: readonly (readonly number[])[]): Promise<void> => {
        const n = fresh[0]!.length;
        const total = start + n;
        const positions = padded.flatMap((p) =>
          Array.from({ length: n }, (_, t) => Math.max(0, start + t - p)),
        );
        const mask = padded.flatMap((p) => Array.from({ length: total }, (_, t) => (t < p ? 0 : 1)));
        const out = await session.run({
          input_ids: tensorOf("int64", [2, n], fresh.flat()),
          position_ids: tensorOf("int64", [2, n], positions),
          attention_mask: tensorOf("int64", [2, total], mask),
          num_logits_to_keep: tensorOf("int64", [], [0]),
          ...past,
        });
        expect(out.logits!.shape).toEqual([2, n, VOCAB]);
        for (const [key, t] of Object.entries(out)) {
          if (!key.startsWith("present.")) continue;
          expect(t.shape).toEqual([2, kvHeads, total, headWidth]);
          past[key.replace("present.", "past_key_values.")] = t;
        }
        for (const [b, list] of seen.entries()) {
          for (let t = 0; t < n; t++) {
            if (start + t < padded[b]!) continue;
            const from = (b * n + t) * VOCAB;
            list.push((out.logits!.data as Float32Array).slice(from, from + VOCAB));
          }
        }
      };
      await call(
        0,
        rows.map((r, b) => [...new Array<number>(padded[b]!).fill(0), ...r]),
      );
      for (let i = 0; i < more[0]!.length; i++)
        await call(
          long + i,
          more.map((m) => [m[i]!]),
        );
      await session.dispose();
      return seen;
    };

    /** The row's config and those of the golden that decode. */
    const configs = [
      ["the row's config", row.config] as const,
      ...Object.entries(golden.cases).map(([title, { config }]) => [title, config] as const),
    ].filter(([, config]) => {
      return headOf(arch, arch.parse(config)) === "causal-lm";
    });

    test.each(configs)("with a cache, padded on the left, equals the full forward: %s", async (_, config) => {
      const model = sineModel(name, config);
      const seen = await decode(model);
      for (const [b, list] of seen.entries()) {
        const ids = [...rows[b]!, ...more[b]!];
        expect(list).toHaveLength(ids.length);
        const full = (await fullLogits(model, [ids])).data as Float32Array;
        for (const [t, logits] of list.entries()) {
          const want = full.slice(t * VOCAB, (t + 1) * VOCAB);
          expect(worst(logits, want), `row ${b}, token ${t}`).toBeLessThan(1e-4);
        }
      }
    });
  });

  test("decoding in a shared buffer equals the full forward", async () => {
    const model = sineModel(name, row.config);
    const made = await decoder(engine, model);
    const [ids, vocab] = [IDS[0]!, model.config.vocab_size];
    const want = (await fullLogits(model, [ids])).data as Float32Array;
    const cache = made.cache(ids.length, [0]);
    const first = await made.step(cache, ids.slice(0, 4), 0, 0);
    expect(worst(first, want.slice(0, 4 * vocab))).toBeLessThan(1e-4);
    for (let t = 4; t < ids.length; t++) {
      const logits = await made.step(cache, [ids[t]!], t);
      expect(worst(logits, want.slice(t * vocab, (t + 1) * vocab)), `token ${t}`).toBeLessThan(1e-4);
    }
    await made.dispose();
  });

  test.each([
    [4, 0.2],
    [8, 0.05],
  ] as const)("decoding with weights of %d bits equals the full forward with them", async (bits, far) => {
    const dense = sineModel(name, row.config);
    const model = quantized(dense, { bits });
    const made = await decoder(engine, model);
    const got = await made.step(made.cache(IDS[0]!.length), IDS[0]!, 0, 0);
    await made.dispose();
    const full = (await fullLogits(model, [IDS[0]!])).data as Float32Array;
    expect(worst(got, full)).toBeLessThan(far);
    expect(worst(got, (await fullLogits(dense, [IDS[0]!])).data as Float32Array)).toBeGreaterThan(1e-3);
  });

  const readers = Object.entries(golden.cases).filter(([, { config }]) => {
    return headOf(arch, arch.parse(config)) !== "causal-lm";
  });
  test("has golden cases of every other task", () => {
    const tasks = readers.map(([, { config }]) => headOf(arch, arch.parse(config)));
    expect([...new Set(tasks)].sort()).toEqual([
      "features",
      "sequence-classification",
      "token-classification",
    ]);
  });

  test.each(readers)("the served graph equals the reference: %s", async (_, want) => {
    const model = sineModel(name, want.config);
    const task = headOf(arch, model.config);
    const [rows, length] = [want.ids.length, want.ids[0]!.length];
    const session = await compile(engine, decoderProgram(model));
    const names = task === "features" ? ["position_ids"] : [];
    expect([...session.inputNames].sort()).toEqual(["attention_mask", "input_ids", ...names]);
    const int64 = (values: readonly number[]): Tensor => tensorOf("int64", [rows, length], values);
    const counted = want.ids.flatMap((ids) => ids.map((_, t) => t));
    const out = await session.run({
      input_ids: int64(want.ids.flat()),
      attention_mask: int64(want.mask?.flat() ?? counted.map(() => 1)),
      ...(task === "features" ? { position_ids: int64(counted) } : {}),
    });
    await session.dispose();
    const result = out[task === "features" ? "last_hidden_state" : "logits"]!;
    expect(result.shape).toEqual(want.shape);
    expect(worstCounted(result.data as Float32Array, want)).toBeLessThan(1e-4);
  });

  describe("dropout", () => {
    const dropping = (rate: number): Model => {
      const fields = Object.fromEntries(row.dropout.map((field) => [field, rate]));
      return sineModel(name, { ...row.config, ...fields });
    };

    test("is a function of the seed, and is not there without one", async () => {
      const [model, plain] = [dropping(0.5), sineModel(name, row.config)];
      const one = await fullLogits(model, IDS, 1);
      expect(await fullLogits(model, IDS, 1)).toEqual(one);
      const other = await fullLogits(model, IDS, 2);
      expect(worst(other.data as Float32Array, one.data as Float32Array)).toBeGreaterThan(1e-2);
      expect(await fullLogits(model, IDS)).toEqual(await fullLogits(plain, IDS));
    });

    test("at a rate that drops nothing, the same attention in other ops gives the same logits", async () => {
      const want = await fullLogits(sineModel(name, row.config), IDS);
      const got = await fullLogits(dropping(1e-7), IDS, 1);
      expect(worst(got.data as Float32Array, want.data as Float32Array)).toBeLessThan(1e-4);
    });
  });

  test("keepLayers keeps these layers, in this order, and leaves the model alone", async () => {
    const model = sineModel(name, row.config);
    const before = flatten<Weight>(model.weights);
    const kept = (layers: readonly number[]): Model => ({
      ...model,
      ...arch.keepLayers(model.config, model.weights, layers),
    });
    const { field, path } = row.layers;
    const last = kept([1]);
    expect((last.config as Record<string, unknown>)[field]).toBe(1);
    const names = [...flatten<Weight>(last.weights).keys()];
    expect(names.some((n) => n.startsWith(`${path}.0.`))).toBe(true);
    expect(names.some((n) => n.startsWith(`${path}.1.`))).toBe(false);
    for (const [n, w] of flatten<Weight>(last.weights)) {
      expect(w).toBe(before.get(n.replace(`${path}.0.`, `${path}.1.`)));
    }
    expect(await fullLogits(kept([0, 1]), IDS)).toEqual(await fullLogits(model, IDS));
    const swapped = await fullLogits(kept([1, 0]), IDS);
    const straight = await fullLogits(model, IDS);
    expect(worst(swapped.data as Float32Array, straight.data as Float32Array)).toBeGreaterThan(1e-2);
    expect(flatten<Weight>(model.weights)).toEqual(before);
  });

  describe("initialize", () => {
    const specs = specsOf(name, row.config);
    const bits = (tree: Tree<Tensor>) => flatten<Tensor>(tree);

    test("is a pure function of the seed and the path", () => {
      expect(bits(initialize(specs, 1))).toEqual(bits(initialize(specs, 1)));
      const deeper = bits(initialize(specsOf(name, { ...row.config, [row.layers.field]: 3 }), 1));
      // The last projections start smaller in deeper models; the rest is the same.
      for (const [path, t] of bits(initialize(specs, 1))) {
        if (!path.includes("c_proj")) expect(deeper.get(path), path).toEqual(t);
      }
    });

    test("differs between seeds and between paths", () => {
      const [one, two] = [bits(initialize(specs, 1)), bits(initialize(specs, 2))];
      const drawn = [...flatten<ParamSpec>(specs)].filter(([, spec]) => spec.init.kind === "normal");
      expect(drawn.length).toBeGreaterThan(4);
      const starts = new Set<number>();
      for (const [path] of drawn) {
        expect(one.get(path)).not.toEqual(two.get(path));
        starts.add(one.get(path)!.data[0] as number);
      }
      expect(starts.size).toBe(drawn.length);
    });

    test("has the spec's types, ones, zeros and spread", () => {
      const all = bits(initialize(specs, 1));
      for (const [path, spec] of flatten<ParamSpec>(specs)) {
        const { dtype, shape, data } = all.get(path)!;
        expect({ dtype, shape }).toEqual({ dtype: spec.dtype, shape: spec.shape });
        const values = Array.from(data as Float32Array);
        if (spec.init.kind !== "normal") {
          expect(new Set(values)).toEqual(new Set([spec.init.kind === "ones" ? 1 : 0]));
          continue;
        }
        const std = Math.sqrt(values.reduce((s, x) => s + x * x, 0) / values.length);
        expect(Math.abs(std / spec.init.std - 1), path).toBeLessThan(5 / Math.sqrt(2 * values.length));
      }
    });
  });

  describe("config", () => {
    test("a parsed config parses to itself", () => {
      const parsed = arch.parse(row.config);
      expect(arch.parse(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
    });

    test.each(row.wrong)("%j is refused by name", (fields, message) => {
      const json = { ...row.config, ...fields };
      expect(() => arch.parse(json)).toThrow(ConfigError);
      expect(() => arch.parse(json)).toThrow(message);
    });

    test.each([[null], [[]], ["gpt2"], [3]])("%j is no config", (json) => {
      expect(() => arch.parse(json)).toThrow(ConfigError);
    });
  });
});
