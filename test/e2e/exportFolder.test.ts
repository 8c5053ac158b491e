/** Folders that are exported: weights beside the graph, shards, and the command. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as hf from "@huggingface/transformers";
import { beforeAll, describe, expect, it } from "vitest";
import { main } from "../../src/cli/index.ts";
import { cacheScales } from "../../src/compress/cacheScales.ts";
import { tensorsOf } from "../../src/nn/param.ts";
import { writeFolder } from "../../src/node/files/checkpoints.ts";
import { loadModel } from "../../src/node/model/folder.ts";
import { loadGraph } from "../../src/node/runtime/graph.ts";
import { exportFolder } from "../../src/recipes/export/export.ts";
import { verifyFolder } from "../../src/recipes/verify/verify.ts";
import { decoderOf } from "../../src/serve/decode/decoding.ts";
import { exportDtypes } from "../../src/ship/onnx/dtype.ts";
import { exportModel } from "../../src/ship/onnx/export.ts";
import { charTokenizer } from "../../src/tokenizer/index.ts";
import { agreement, dir, engine, ids, modelOf, reference, theirs, write } from "./exported.ts";

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

  it("writes a cache of int8 into the packed dtypes, which transformers.js reads on from", async () => {
    const out = join(dir, "int8-cache");
    const { dtypes } = await exportFolder(source, { out, dtypes: ["fp32", "q8"], cache: "int8" });
    const at = async (file: string) => loadGraph(engine, join(out, "onnx", file));
    const [wide, small] = [await at("model.onnx"), await at("model_quantized.onnx")];
    const typesOf = (session: typeof wide) => session.inputTypes["past_key_values.0.key"]?.dtype;
    expect([wide, small].map(typesOf)).toEqual(["float32", "int8"]);
    for (const session of [wide, small]) await session.dispose();
    const { targets } = await verifyFolder(out, { targets: ["node-cpu"] });
    expect(targets["node-cpu"]).toMatchObject({ status: "passed" });
    hf.env.localModelPath = "/";
    const said: string[] = [];
    for (const dtype of dtypes) {
      const generate = await hf.pipeline("text-generation", out, { dtype: dtype as "q8" });
      const [made] = (await generate("the quick", { max_new_tokens: 12, do_sample: false })) as unknown as [
        { generated_text: string },
      ];
      said.push(made.generated_text);
      await generate.dispose();
    }
    expect(said[1]!.length).toBe(said[0]!.length);
    expect(said[1]!.slice(0, 12)).toBe(said[0]!.slice(0, 12));
    await expect(cacheScales(engine, modelOf("bert", "masked-lm"), ids)).rejects.toThrow(/bert has no cache/);
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
