/** Every encoder and head against its reference implementation (golden/<name>.py), trained, packed and served. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { quantize } from "../../src/compress/quantize.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/formats/safetensors/safetensors.ts";
import type { Value } from "../../src/ir/op.ts";
import { nodesOf } from "../../src/ir/program.ts";
import type { Tensor } from "../../src/ir/tensor.ts";
import { modelOf } from "../../src/models/checkpoint/load.ts";
import { headOf } from "../../src/models/head.ts";
import { architectures } from "../../src/models/index.ts";
import type { Model } from "../../src/models/model.ts";
import { initialize, type ParamSpec, type Weight } from "../../src/nn/param.ts";
import { encoderOf } from "../../src/serve/graphs/encoder.ts";
import { graphsOf } from "../../src/serve/graphs/graphs.ts";
import { ConfigError } from "../../src/util/errors.ts";
import { entries, flatten, type Tree } from "../../src/util/tree.ts";
import { encoderCases } from "../cases/encoders.ts";
import {
  type Case,
  engine,
  forward,
  lossAndGradients,
  norm,
  numbers,
  served,
  sineModel,
  specsOf,
  textsOf,
  train,
  worst,
} from "./encoders.ts";

test("every encoder has a row", () => {
  // A table of token vectors has no goldens but itself (e2e/static.test.ts).
  const all = Object.values(architectures).filter(({ kind }) => kind === "encoder");
  const encoders = all.filter(({ name }) => name !== "model2vec");
  expect(Object.keys(encoderCases).sort()).toEqual(encoders.map(({ name }) => name).sort());
});

describe.each(Object.entries(encoderCases))("%s", (name, row) => {
  const arch = architectures[name]!;
  const url = new URL(`../golden/${row.golden}`, import.meta.url);
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
      // Of random weights 32 wide, where every rounding error reaches the logits.
      [4, 0.88],
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
