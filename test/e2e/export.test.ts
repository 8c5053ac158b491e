/** Exported folders of every architecture, head and dtype, as @huggingface/transformers loads them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as hf from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../../src/cli/index.ts";
import { batches } from "../../src/data/index.ts";
import { compile } from "../../src/engine/compile.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { decodeOnnx } from "../../src/formats/onnx/read.ts";
import { trace } from "../../src/ir/program.ts";
import { type Tensor, type TensorType, tensor, tensorOf } from "../../src/ir/tensor.ts";
import { readsTokenTypes } from "../../src/models/encoders/encoder.ts";
import { architectures } from "../../src/models/index.ts";
import type { Head, Model } from "../../src/models/model.ts";
import { asConstants, initialize, type ParamSpec, tensorsOf } from "../../src/nn/param.ts";
import { writeFolder } from "../../src/node/files/checkpoints.ts";
import { loadModel } from "../../src/node/model/folder.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { loadGraph } from "../../src/node/runtime/graph.ts";
import { optimizers } from "../../src/optim/index.ts";
import { exportFolder } from "../../src/recipes/export/export.ts";
import { decoderOf } from "../../src/serve/decode/decoding.ts";
import { generate } from "../../src/serve/decode/generate.ts";
import { argmax } from "../../src/serve/decode/sample.ts";
import { type ExportDtype, exportDtypes } from "../../src/ship/onnx/dtype.ts";
import { type ExportOptions, exportModel } from "../../src/ship/onnx/export.ts";
import type { Files } from "../../src/ship/onnx/files.ts";
import { charTokenizer } from "../../src/tokenizer/index.ts";
import { train } from "../../src/train/loop.ts";
import { ConfigError } from "../../src/util/errors.ts";
import type { Tree } from "../../src/util/tree.ts";
import { exportCases } from "../cases/exports.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-export-"));
const allDtypes = Object.keys(exportDtypes) as ExportDtype[];
let engine: Engine;
beforeAll(async () => {
  hf.env.allowRemoteModels = false;
  hf.env.localModelPath = "/";
  engine = await nodeEngine({ threads: 1 });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const modelOf = (name: string, task: Head, more: object = {}): Model => {
  const arch = architectures[name]!;
  const given = { model_type: name, architectures: [arch.classes[task]], ...exportCases[name]!.config };
  const config = arch.parse({ ...given, ...more });
  const weights = initialize(arch.params(config) as Tree<ParamSpec>, 3);
  return { arch, config, weights, history: [] };
};

const write = async (name: string, model: Model, options: ExportOptions = {}): Promise<[string, Files]> => {
  const files = exportModel(model, { dtypes: allDtypes, ...options });
  const path = join(dir, name);
  await writeFolder(path, files);
  return [path, files];
};

// Two texts; of an encoder's, the second ends in two tokens of padding.
const ids = [
  [5, 6, 7, 9, 80, 11, 13],
  [3, 4, 5, 21, 22, 7, 7],
];
const targets = [
  [0, 17, 9],
  [0, 4, 33],
];
const maskOf = (model: Model): number[][] =>
  model.arch.kind === "decoder"
    ? ids.map((row) => row.map(() => 1))
    : [
        [1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 0, 0],
      ];

const int32 = (rows: readonly (readonly number[])[]): Tensor =>
  tensorOf("int32", [rows.length, rows[0]!.length], rows.flat());

/** What the training graph computes. */
const reference = async (model: Model): Promise<Tensor> => {
  const feeds: Record<string, Tensor> = { inputIds: int32(ids) };
  if (model.arch.kind !== "decoder") feeds.attentionMask = int32(maskOf(model));
  if (model.arch.kind === "seq2seq") feeds.decoderInputIds = int32(targets);
  const spec = Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, shape }]): [string, TensorType] => [name, { dtype, shape }]),
  );
  const program = trace(spec, (v) => {
    const inputs = { inputIds: v.inputIds!, ...v };
    return { logits: model.arch.forward(asConstants(model.weights), inputs, model.config).logits };
  });
  const session = await compile(engine, program);
  const { logits } = await session.run(feeds);
  await session.dispose();
  return logits!;
};

const loaders: Record<Head, { from_pretrained: typeof hf.AutoModel.from_pretrained }> = {
  "causal-lm": hf.AutoModelForCausalLM,
  "masked-lm": hf.AutoModelForMaskedLM,
  "sequence-classification": hf.AutoModelForSequenceClassification,
  "token-classification": hf.AutoModelForTokenClassification,
  features: hf.AutoModel,
  "seq2seq-lm": hf.AutoModelForSeq2SeqLM,
};

const int64 = (rows: readonly (readonly number[])[]) =>
  new hf.Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]!.length]);

type Loaded = Awaited<ReturnType<typeof hf.AutoModel.from_pretrained>>;

const feedsOf = (model: Model): Record<string, unknown> => ({
  input_ids: int64(ids),
  attention_mask: int64(maskOf(model)),
  ...(readsTokenTypes(model.config) ? { token_type_ids: int64(ids.map((row) => row.map(() => 0))) } : {}),
  ...(model.arch.kind === "seq2seq" ? { decoder_input_ids: int64(targets) } : {}),
});

/** What transformers.js computes from the folder. */
const theirs = async (path: string, task: Head, dtype: ExportDtype, model: Model): Promise<Float32Array> => {
  const loaded: Loaded = await loaders[task].from_pretrained(path, { dtype });
  const out = await loaded(feedsOf(model));
  const { type, data } = (out.logits ?? out.last_hidden_state) as hf.Tensor;
  expect(type).toBe("float32");
  await loaded.dispose();
  return data as Float32Array;
};

/** What onnxruntime computes from the folder. */
const inRuntime = async (path: string, _: Head, dtype: ExportDtype, model: Model): Promise<Float32Array> => {
  const session = await engine.load(join(path, exportDtypes[dtype].file));
  const wide = (rows: number[][]) => tensorOf("int64", [rows.length, rows[0]!.length], rows.flat());
  const { logits } = await session.run({ input_ids: wide(ids), attention_mask: wide(maskOf(model)) });
  await session.dispose();
  return logits!.data as Float32Array;
};

/**
 * Largest difference as a share of the largest magnitude, cosine, and share of rows with the same largest
 * number; rows of padding do not count.
 */
const agreement = (model: Model, expected: Tensor, found: Float32Array) => {
  const reals = expected.data as Float32Array;
  expect(found.length).toBe(reals.length);
  const width = expected.shape.at(-1)!;
  const mask = maskOf(model).flat();
  const perToken = expected.shape.length === 3 && expected.shape[1] === ids[0]!.length;
  const sums = { diff: 0, most: 0, ab: 0, aa: 0, bb: 0 };
  const counts = (row: number): boolean => !perToken || mask[row] !== 0;
  const rows = Array.from({ length: reals.length / width }, (_, row) => row).filter(counts);
  const likeliest = (all: Float32Array, row: number) => argmax(all.subarray(row * width, (row + 1) * width));
  const same = rows.filter((row) => likeliest(reals, row) === likeliest(found, row)).length;
  reals.forEach((a, i) => {
    if (!counts(Math.floor(i / width))) return;
    const b = found[i]!;
    sums.diff = Math.max(sums.diff, Math.abs(a - b));
    sums.most = Math.max(sums.most, Math.abs(a));
    sums.ab += a * b;
    sums.aa += a * a;
    sums.bb += b * b;
  });
  const cosine = sums.ab / Math.sqrt(sums.aa * sums.bb);
  return { maxDiff: sums.diff / sums.most, cosine, top: same / rows.length };
};

/** Names of a graph's inputs and outputs as transformers.js has them. */
const valuesOf = (graph: string, model: Model, task: Head): [inputs: string[], outputs: string[]] => {
  const state = task === "features" ? "last_hidden_state" : "logits";
  const source = ["input_ids", "attention_mask"];
  if (graph === "encoder_model") return [source, ["last_hidden_state"]];
  if (model.arch.kind === "encoder") {
    return [[...source, ...(readsTokenTypes(model.config) ? ["token_type_ids"] : [])], [state]];
  }
  if (model.arch.kind === "decoder" && task !== "causal-lm") {
    return [[...source, ...(task === "features" ? ["position_ids"] : [])], [state]];
  }
  const layers = Array.from({ length: model.arch.cache(model.config).layers }, (_, i) => i);
  const parts = graph === "model" ? [""] : [".decoder", ".encoder"];
  const cache = (stem: string): string[] =>
    layers.flatMap((i) => parts.flatMap((part) => ["key", "value"].map((x) => `${stem}.${i}${part}.${x}`)));
  const [past, present] = [cache("past_key_values"), cache("present")];
  if (graph === "model")
    return [
      [...source, "position_ids", "num_logits_to_keep", ...past],
      [state, ...present],
    ];
  const first = ["encoder_attention_mask", "input_ids", "encoder_hidden_states"];
  return [
    [...first, ...past, "use_cache_branch"],
    [state, ...present],
  ];
};

const sizeOf = (files: Files, dtype: ExportDtype): number => {
  const own = new RegExp(`^onnx/[a-z_]*?(model|merged)${exportDtypes[dtype].suffix}\\.onnx(_data)?$`);
  return Array.from(files)
    .filter(([name]) => own.test(name))
    .reduce((n, [, chunks]) => n + chunks.reduce((m, { length }) => m + length, 0), 0);
};

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
      const exact = half ? exportDtypes.fp16.tolerance : exportDtypes.fp32.tolerance;
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

describe("weights beside the graph", () => {
  it("load in onnxruntime and in transformers.js, and config.json says so", async () => {
    const model = modelOf("gpt2", "causal-lm");
    const dtypes = ["fp32", "q4f16"] as const;
    const [path, files] = await write("external", model, { dtypes, inlineLimitBytes: 1000 });
    expect(files.has("onnx/model.onnx_data") && files.has("onnx/model_q4f16.onnx_data")).toBe(true);
    expect(files.get("onnx/model.onnx")![0]!.length).toBeLessThan(60_000);
    const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8"));
    expect(config["transformers.js_config"]).toEqual({
      dtype: "fp32",
      use_external_data_format: { "model.onnx": 1, "model_q4f16.onnx": 1 },
    });
    const expected = await reference(model);
    for (const dtype of dtypes) {
      const { cosine } = agreement(model, expected, await theirs(path, "causal-lm", dtype, model));
      expect(cosine).toBeGreaterThan(exportDtypes[dtype].tolerance.cosine);
    }
    const session = await loadGraph(engine, join(path, "onnx/model.onnx"));
    const decoder = decoderOf(session, model.arch.cache(model.config));
    const logits = await decoder.step(decoder.cache(), ids[0]!, 0, 0);
    const first = (expected.data as Float32Array).subarray(0, logits.length);
    expect(Math.max(...logits.map((x, i) => Math.abs(x - first[i]!)))).toBeLessThan(1e-4);
    await decoder.dispose();
  });

  it("shards of safetensors load as one file does", async () => {
    const model = modelOf("gpt2", "causal-lm");
    const [path, files] = await write("shards", model, { dtypes: ["q4"], shardLimitBytes: 100_000 });
    expect(files.has("model.safetensors")).toBe(false);
    const shards = [...files.keys()].filter((name) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(name));
    expect(shards.length).toBeGreaterThan(2);
    const loaded = await loadModel(path);
    const [a, b] = [model, loaded.model].map((m) => new Map(tensorsOf(m.weights)));
    expect([...b!.keys()]).toEqual([...a!.keys()]);
    for (const [name, t] of a!)
      expect(
        Buffer.from(b!.get(name)!.data.buffer, b!.get(name)!.data.byteOffset, t.data.byteLength).equals(
          Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength),
        ),
        name,
      ).toBe(true);
  });
});

describe("anneal export", () => {
  const tokenizer = () => {
    const { tokenizer: json, config } = charTokenizer("the quick brown fox jumps over a lazy dog").files();
    const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
    return new Map([
      ["tokenizer.json", bytes(json)],
      ["tokenizer_config.json", bytes(config)],
    ]);
  };
  const source = join(dir, "source");
  beforeAll(async () => {
    const model = modelOf("gpt2", "causal-lm");
    const generation = { eos_token_id: 2, max_length: 64, top_k: 7 };
    const files = exportModel(model, {
      files: tokenizer(),
      generation: { fields: generation },
      config: { fields: { author: "someone" } },
    });
    files.set("anneal.json", [new TextEncoder().encode("{}")]);
    await writeFolder(source, files);
  });

  it("writes the dtypes that are asked for, and keeps what the checkpoint says", async () => {
    const out = join(dir, "out");
    const made = await exportFolder(source, { out, dtypes: ["q8", "fp16"], default: "fp16" });
    expect(made).toMatchObject({ path: out, dtypes: ["q8", "fp16"], default: "fp16" });
    expect(readdirSync(join(out, "onnx")).sort()).toEqual(["model_fp16.onnx", "model_quantized.onnx"]);
    const json = (name: string) => JSON.parse(readFileSync(join(out, name), "utf8"));
    expect(json("generation_config.json")).toEqual({ eos_token_id: 2, max_length: 64, top_k: 7 });
    expect(json("config.json")).toMatchObject({
      author: "someone",
      model_type: "gpt2",
      "transformers.js_config": { dtype: "fp16" },
    });
    for (const name of ["model.safetensors", "tokenizer.json", "tokenizer_config.json"]) {
      expect(readFileSync(join(out, name)).equals(readFileSync(join(source, name))), name).toBe(true);
    }
    const again = join(dir, "again");
    await exportFolder(source, { out: again, dtypes: ["q8", "fp16"], default: "fp16" });
    for (const { name } of made.files) {
      expect(readFileSync(join(again, name)).equals(readFileSync(join(out, name))), name).toBe(true);
    }
  });

  it("makes the tokenizer's files of an older checkpoint", async () => {
    const older = join(dir, "older");
    const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "##s", "."];
    const vocab = new TextEncoder().encode(`${words.join("\n")}\n`);
    const model = modelOf("bert", "masked-lm");
    await writeFolder(older, exportModel(model, { files: new Map([["vocab.txt", vocab]]) }));
    const out = join(dir, "older-out");
    await exportFolder(older, { out, dtypes: ["q8"] });
    expect(readFileSync(join(out, "vocab.txt")).equals(vocab)).toBe(true);
    const tokenizer = await hf.AutoTokenizer.from_pretrained(out);
    const found = tokenizer("The cats sat.").input_ids.tolist()[0].map(Number);
    expect(found).toEqual([2, 5, 6, 8, 7, 9, 3]);
  });

  it("refuses what it does not know, and writes nothing then", async () => {
    const out = join(dir, "refused");
    const wrong = (options: object, says: RegExp) =>
      expect(exportFolder(source, { out, ...options })).rejects.toThrow(says);
    await wrong({ dtypes: ["fp17"] }, /--dtype.*"fp17"/);
    await wrong({ dtypes: [] }, /names no dtype/);
    await wrong({ dtypes: ["q8"], default: "fp16" }, /not among the exported/);
    await expect(exportFolder(source, { out, dtypes: ["fp17"] })).rejects.toMatchObject({
      details: { hint: expect.stringContaining('did you mean "fp16"') },
    });
    await expect(exportFolder(source, { out: source })).rejects.toThrow(/is the model's own folder/);
    const signal = AbortSignal.abort(new Error("enough"));
    await wrong({ signal }, /enough/);
    expect(readdirSync(dir).filter((name) => name.startsWith("refused"))).toEqual([]);
  });

  it("is a command", async () => {
    const out = join(dir, "command");
    const written: string[] = [];
    const write = process.stdout.write;
    process.stdout.write = ((text: string) => written.push(text) > 0) as never;
    try {
      await main(["export", source, "--out", out, "--dtype", "q4,uint8", "--json"]);
    } finally {
      process.stdout.write = write;
    }
    expect(process.exitCode ?? 0).toBe(0);
    const { default: chosen, files } = JSON.parse(written.join("")) as {
      default: string;
      files: readonly { name: string; sizeBytes: number }[];
    };
    expect(chosen).toBe("q4");
    expect(files.map(({ name }) => name)).toContain("onnx/model_uint8.onnx");
  });
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
