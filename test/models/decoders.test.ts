/** Every decoder against its reference implementation (golden/<name>.py) and against its own config. */
import { describe, expect, test } from "vitest";
import { compile } from "../../src/engine/compile.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/formats/safetensors/safetensors.ts";
import { type Tensor, tensorOf } from "../../src/ir/tensor.ts";
import { modelOf } from "../../src/models/checkpoint/load.ts";
import { architectures, headOf } from "../../src/models/index.ts";
import type { Model } from "../../src/models/model.ts";
import { initialize, type ParamSpec, type Weight } from "../../src/nn/param.ts";
import { adamw } from "../../src/optim/index.ts";
import { decoderProgram } from "../../src/serve/graphs/decoder.ts";
import { stepper } from "../../src/train/stepper.ts";
import { ConfigError } from "../../src/util/errors.ts";
import { flatten, type Tree } from "../../src/util/tree.ts";
import { modelCases } from "../cases/models.ts";
import {
  engine,
  fullLogits,
  goldenLogits,
  goldenOf,
  IDS,
  inputsOf,
  labelFeeds,
  lossAndGradients,
  norm,
  objectiveOf,
  sineModel,
  specsOf,
  worst,
  worstCounted,
} from "./decoders.ts";

test("every decoder has a row", () => {
  const decoders = Object.values(architectures).filter(({ kind }) => kind === "decoder");
  expect(Object.keys(modelCases).sort()).toEqual(decoders.map(({ name }) => name).sort());
});

describe.each(Object.entries(modelCases))("%s", (name, row) => {
  const arch = architectures[name]!;
  const golden = goldenOf(row.golden);

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
        // Adam makes full steps of gradients that are but rounding: those of a bias of keys, which Qwen2 has.
        expect(error, `step ${i + 1}`).toBeLessThan(name === "qwen2" ? 2e-3 : 5e-4);
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
