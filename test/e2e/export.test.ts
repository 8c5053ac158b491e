/** Exported folders of every architecture, head and dtype, as @huggingface/transformers loads them. */
import { join } from "node:path";
import * as hf from "@huggingface/transformers";
import { beforeAll, describe, expect, it } from "vitest";
import { batches } from "../../src/data/index.ts";
import { decodeOnnx } from "../../src/formats/onnx/read.ts";
import { tensor } from "../../src/ir/tensor.ts";
import type { Model } from "../../src/models/model.ts";
import { tensorsOf } from "../../src/nn/param.ts";
import { loadGraph } from "../../src/node/runtime/graph.ts";
import { optimizers } from "../../src/optim/index.ts";
import { decoderOf } from "../../src/serve/decode/decoding.ts";
import { generate } from "../../src/serve/decode/generate.ts";
import { type ExportDtype, exportDtypes } from "../../src/ship/onnx/dtype.ts";
import { exportModel } from "../../src/ship/onnx/export.ts";
import type { Files } from "../../src/ship/onnx/files.ts";
import { train } from "../../src/train/loop.ts";
import { ConfigError } from "../../src/util/errors.ts";
import { exportCases } from "../cases/exports.ts";
import {
  agreement,
  allDtypes,
  dir,
  engine,
  ids,
  inRuntime,
  int64,
  modelOf,
  reference,
  sizeOf,
  theirs,
  valuesOf,
  write,
} from "./exported.ts";

for (const [name, { tasks, others = [] }] of Object.entries(exportCases)) {
  describe.each([...tasks, ...others])(`${name} for %s`, (task) => {
    let model: Model;
    let path: string;
    let files: Files;
    beforeAll(async () => {
      model = modelOf(name, task);
      [path, files] = await write(`${name}-${task}`, model);
    });

    // Weights drawn at random say nothing of how much rounding costs; the graph must compute what the rounded
    // weights do.
    it.each(allDtypes)("%s computes what the graph of its weights does", async (dtype) => {
      const { pass, half, packed } = exportDtypes[dtype];
      const expected = await reference(await pass.run(model, { engine, seed: 1, log: () => {} }));
      const run = tasks.includes(task) ? theirs : inRuntime;
      const found = agreement(model, expected, await run(path, task, dtype, model));
      // A last digit becomes a whole step where few bits follow: of activations, or of weights halved before.
      const near = packed !== undefined && (half || packed.bits === 8);
      // Products of 4 bits add up in another order than those of the reference, and outputs are not near 1.
      const whole = packed === undefined ? exportDtypes.fp32.tolerance : { maxDiff: 5e-4, cosine: 0.9999 };
      const exact = half ? exportDtypes.fp16.tolerance : whole;
      const { maxDiff, cosine } = near ? { maxDiff: 0.05, cosine: 0.999 } : exact;
      expect(found.maxDiff).toBeLessThan(maxDiff!);
      expect(found.cosine).toBeGreaterThan(cosine);
    });

    it("has the inputs and outputs that transformers.js feeds and reads", () => {
      const graphs = model.arch.kind === "seq2seq" ? ["encoder_model", "decoder_model_merged"] : ["model"];
      for (const graph of graphs) {
        const shapes = allDtypes.map((dtype) => {
          const file = `onnx/${graph}${exportDtypes[dtype].suffix}.onnx`;
          const { inputs, outputs } = decodeOnnx(Buffer.concat(files.get(file)!)).graph;
          const cache = [...inputs, ...outputs].filter((v) => /^(past_key_values|present)\./.test(v.name));
          for (const v of cache) expect(v.dtype).toBe(exportDtypes[dtype].half ? "float16" : "float32");
          return [inputs, outputs].map((values) => values.map((v) => v.name));
        });
        for (const shape of shapes) expect(shape).toEqual(valuesOf(graph, model, task));
      }
    });

    it("is the smaller the fewer bits", () => {
      const [fp32, fp16, q8, q4] = (["fp32", "fp16", "q8", "q4"] as const).map((d) => sizeOf(files, d));
      expect(fp16!).toBeLessThan(0.7 * fp32!);
      expect(q8!).toBeLessThan(fp16!);
      expect(q4!).toBeLessThan(q8!);
      expect(sizeOf(files, "q4f16")).toBeLessThan(q4!);
      expect(sizeOf(files, "int8")).toBe(q8);
    });

    it("gives the same bytes again", () => {
      const again = exportModel(model, { dtypes: allDtypes });
      expect([...again.keys()]).toEqual([...files.keys()]);
      for (const [file, chunks] of again) {
        expect(Buffer.concat(chunks).equals(Buffer.concat(files.get(file)!)), file).toBe(true);
      }
    });
  });
}

describe("a trained model", () => {
  it("stays within each dtype's tolerance, the eight-bit ones the same", async () => {
    const [batch, context] = [4, 16];
    const text = "the quick brown fox jumps over the lazy dog while the cat sleeps in the old red house. ";
    const tokens = Uint32Array.from(text.repeat(12), (c) => c.charCodeAt(0) - 32);
    const source = (index: number) => {
      const { inputIds, labels } = batches({ tokens, batch, context, seed: 2 })(index);
      return {
        inputIds: tensor("int32", [batch, context], inputIds),
        labels: tensor("int32", [batch * context], labels),
      };
    };
    const { model } = await train(engine, modelOf("gpt2", "causal-lm", { vocab_size: 96 }), source, {
      ...{ batch, context, steps: 60, seed: 1, clipNorm: 1 },
      optimizer: optimizers.adamw({ weightDecay: 0.1 }),
      schedule: () => 3e-3,
    });
    const [path] = await write("trained", model);
    const expected = await reference(model);
    const figures = new Map<ExportDtype, number>();
    for (const dtype of allDtypes) {
      const found = agreement(model, expected, await theirs(path, "causal-lm", dtype, model));
      const { cosine, top = 0, maxDiff = Number.POSITIVE_INFINITY } = exportDtypes[dtype].tolerance;
      expect(found.maxDiff, dtype).toBeLessThan(maxDiff);
      expect(found.cosine, dtype).toBeGreaterThan(cosine);
      expect(found.top, dtype).toBeGreaterThanOrEqual(top);
      figures.set(dtype, found.maxDiff);
    }
    const of = (dtype: ExportDtype): number => figures.get(dtype)!;
    expect(of("int8")).toBe(of("q8"));
    expect(of("uint8")).toBeCloseTo(of("q8"), 2);
    expect(of("fp16")).toBeLessThan(of("q8"));
    expect(of("q8")).toBeLessThan(of("q4"));
  });
});

describe("generation", () => {
  it.each(["fp32", "fp16", "q4f16"] as const)(
    "%s of gpt2: transformers.js writes what anneal does",
    async (dtype) => {
      const path = join(dir, "gpt2-causal-lm");
      const model = modelOf("gpt2", "causal-lm");
      const loaded = await hf.AutoModelForCausalLM.from_pretrained(path, { dtype });
      const prompt = [5, 6, 7, 9];
      const out = (await loaded.generate({
        inputs: int64([prompt]),
        attention_mask: int64([[1, 1, 1, 1]]),
        max_new_tokens: 24,
        do_sample: false,
        eos_token_id: 1e6,
      } as never)) as hf.Tensor;
      await loaded.dispose();
      const graph = await loadGraph(engine, join(path, exportDtypes[dtype].file));
      const decoder = decoderOf(graph, model.arch.cache(model.config));
      const ours: number[] = [];
      for await (const id of generate(decoder, prompt, { maxTokens: 24, temperature: 0 })) ours.push(id);
      await decoder.dispose();
      expect((out.tolist() as bigint[][])[0]!.slice(4).map(Number)).toEqual(ours);
    },
  );

  it.each(["t5", "marian"])(
    "%s in fp32 and fp16: the cache continues as a whole forward would",
    async (name) => {
      const model = modelOf(name, "seq2seq-lm");
      const path = join(dir, `${name}-seq2seq-lm`);
      const start = (model.config as { decoder_start_token_id: number }).decoder_start_token_id;
      for (const dtype of ["fp32", "fp16"] as const) {
        const loaded = await hf.AutoModelForSeq2SeqLM.from_pretrained(path, { dtype });
        const source = { input_ids: int64([ids[0]!]), attention_mask: int64([ids[0]!.map(() => 1)]) };
        const limits = { max_new_tokens: 6, do_sample: false, num_beams: 1, eos_token_id: 1e6 };
        const more = { bad_words_ids: [], forced_eos_token_id: null };
        const out = (await loaded.generate({ ...source, ...limits, ...more } as never)) as hf.Tensor;
        const made = (out.tolist() as bigint[][])[0]!.map(Number);
        expect(made[0]).toBe(start);
        for (let i = 1; i < made.length; i++) {
          const whole = await loaded({ ...source, decoder_input_ids: int64([made.slice(0, i)]) });
          const logits = (whole.logits as hf.Tensor).data as Float32Array;
          const last = logits.subarray((i - 1) * 90, i * 90);
          expect(last[made[i]!]!).toBeGreaterThan(Math.max(...last) - 1e-2);
        }
        await loaded.dispose();
      }
    },
  );
});

describe("activations that float16 cannot hold, or not their squares", () => {
  const scaled = (model: Model, pattern: RegExp, factor: number): Model => {
    for (const [name, { data }] of tensorsOf(model.weights)) {
      if (pattern.test(name)) for (let i = 0; i < data.length; i++) (data as Float32Array)[i]! *= factor;
    }
    return model;
  };

  it("T5's feed-forward, which passes the range in trained models", async () => {
    const model = scaled(modelOf("t5", "seq2seq-lm"), /\.wo\.weight$/, 1e6);
    const [path] = await write("t5-large", model, { dtypes: ["fp16"] });
    const found = agreement(model, await reference(model), await theirs(path, "seq2seq-lm", "fp16", model));
    expect(found.maxDiff).toBeLessThan(exportDtypes.fp16.tolerance.maxDiff!);
  });

  it.each(["llama", "gpt2"])("the residual stream of %s", async (name) => {
    const model = scaled(modelOf(name, "causal-lm"), /(embed_tokens|wte|wpe)\.weight$/, 1e4);
    const [path] = await write(`${name}-large`, model, { dtypes: ["fp16"] });
    const expected = await reference(model);
    const found = agreement(model, expected, await theirs(path, "causal-lm", "fp16", model));
    expect(found.maxDiff).toBeLessThan(exportDtypes.fp16.tolerance.maxDiff!);
  });
});

describe("weights that float16 cannot hold", () => {
  it.each(["fp16", "q4f16"] as const)("%s names the tensor", (dtype) => {
    const model = modelOf("gpt2", "causal-lm");
    const name = "transformer.h.1.ln_2.bias";
    const bias = new Map(tensorsOf(model.weights)).get(name)!;
    (bias.data as Float32Array)[3] = 1e5;
    const made = () => exportModel(model, { dtypes: [dtype] });
    expect(made).toThrow(ConfigError);
    expect(made).toThrow(`tensor "${name}": has the value 100000`);
    expect(exportModel(model, { dtypes: ["fp32", "q8"] }).has("onnx/model_quantized.onnx")).toBe(true);
  });
});
