/** GGUF files of every family as llama.cpp itself loads them: it takes ids in and gives the ids that we give. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LlamaContextSequence, Token } from "node-llama-cpp";
import { describe, expect, it } from "vitest";
import { decodeGguf } from "../../src/formats/gguf/read.ts";
import { encodeSafetensors } from "../../src/formats/safetensors/safetensors.ts";
import type { Model } from "../../src/models/model.ts";
import { architectures } from "../../src/models/registry.ts";
import { tensorsOf } from "../../src/nn/param.ts";
import { writeFileDurable } from "../../src/node/files/files.ts";
import { loadModel } from "../../src/node/model/folder.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { ggufFolder } from "../../src/recipes/export/gguf.ts";
import { decoder } from "../../src/serve/decode/decoding.ts";
import { generate } from "../../src/serve/decode/generate.ts";
import { argmax } from "../../src/serve/decode/sample.ts";
import { gguf } from "../../src/ship/gguf/gguf.ts";
import type { GgufMixName } from "../../src/ship/gguf/mixes.ts";
import type { GgufImportance } from "../../src/ship/gguf/model.ts";
import {
  dir,
  families,
  json,
  llama,
  newPath,
  randomModel,
  tokenizer,
  tokenizerConfig,
  VOCAB,
} from "./llamaCpp.ts";

const files = { tokenizer: json, config: tokenizerConfig };

const prompt = [5, 40, 77, 123, 8, 99, 200, 3, 61, 150];

const NEW = 24;

const ours = async (model: Model): Promise<number[]> => {
  const own = await decoder(await nodeEngine({ threads: 1 }), model);
  const ids: number[] = [];
  for await (const id of generate(own, prompt, { temperature: 0, maxTokens: NEW })) ids.push(id);
  await own.dispose();
  return ids;
};

/** The likeliest token after each of `ids`. */
const oursAfterEach = async (model: Model, ids: readonly number[]): Promise<number[]> => {
  const own = await decoder(await nodeEngine({ threads: 1 }), model);
  const logits = await own.step(own.cache(ids.length), ids, 0, 0);
  await own.dispose();
  return ids.map((_, i) => argmax(logits.subarray(i * VOCAB, (i + 1) * VOCAB)));
};

const withSequence = async <T>(
  modelPath: string,
  use: (sequence: LlamaContextSequence) => Promise<T>,
): Promise<T> => {
  const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
  const context = await model.createContext({
    contextSize: 64,
    threads: 1,
    flashAttention: false,
    experimentalKvCacheKeyType: "F32",
    experimentalKvCacheValueType: "F32",
  });
  const result = await use(context.getSequence());
  await model.dispose();
  return result;
};

const theirs = (path: string): Promise<number[]> =>
  withSequence(path, async (sequence) => {
    const ids: number[] = [];
    const options = { temperature: 0, yieldEogToken: true };
    for await (const id of sequence.evaluate(prompt as Token[], options)) {
      ids.push(id);
      if (ids.length === NEW) break;
    }
    return ids;
  });

const theirsAfterEach = (path: string, ids: readonly number[]): Promise<(number | null | undefined)[]> =>
  withSequence(path, async (sequence) => {
    const next = { generateNext: { token: true, options: { temperature: 0 } } };
    const results = await sequence.controlledEvaluate(ids.map((id) => [id as Token, next]));
    return results.map((r) => r?.next.token);
  });

const share = (a: readonly unknown[], b: readonly unknown[]): number =>
  a.filter((x, i) => x === b[i]).length / a.length;

const write = async (
  model: Model,
  type: GgufMixName,
  importance: GgufImportance = new Map(),
): Promise<string> => {
  const file = gguf(model, { type, tokenizer: files, importance });
  const path = newPath(`-${file.fileName}`);
  await writeFileDurable(path, file.chunks);
  return path;
};

const folderOf = (name: string, config: Readonly<Record<string, unknown>>): string => {
  const folder = join(dir, name);
  const model = randomModel(config, 0.15);
  mkdirSync(folder);
  const { weights, config: parsed } = model;
  const safetensors = Buffer.concat(encodeSafetensors(new Map(tensorsOf(weights)), { format: "pt" }));
  writeFileSync(join(folder, "config.json"), JSON.stringify(parsed));
  writeFileSync(join(folder, "model.safetensors"), safetensors);
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(json));
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(tokenizerConfig));
  writeFileSync(join(folder, "chat_template.jinja"), "{{ messages[0].content }}");
  return folder;
};

describe.each(Object.entries(families))("%s", (_, config) => {
  const known = Object.hasOwn(architectures, config.model_type as string);
  it.runIf(known)("continues in llama.cpp as it does here", async () => {
    const model = randomModel(config, 0.15);
    const expected = await ours(model);
    expect(new Set(expected).size).toBeGreaterThan(4);
    for (const type of ["f32", "f16"] as const) {
      expect(await theirs(await write(model, type)), type).toEqual(expected);
    }
  });
  it.runIf(known)("computes in llama.cpp what its rounded weights compute here", async () => {
    const model = randomModel(config, 0.15);
    const ids = [...prompt, ...(await ours(model))];
    for (const type of ["q8_0", "q4_0"] as const) {
      const path = await write(model, type);
      const after = await theirsAfterEach(path, ids);
      const { model: rounded } = await loadModel(path);
      expect(share(await oursAfterEach(rounded, ids), after), type).toBeGreaterThan(0.8);
      if (type === "q8_0") expect(share(await oursAfterEach(model, ids), after)).toBeGreaterThan(0.8);
    }
  });
});

describe("blocks of 256", () => {
  const model = randomModel(
    { ...families.llama, hidden_size: 256, intermediate_size: 512, head_dim: 64, num_hidden_layers: 8 },
    0.06,
  );
  const importance = new Map(
    model.arch.linears(model.config).map(({ path, role }) => {
      const row = role === "down" ? 512 : 256;
      return [path, Float64Array.from({ length: row }, (_, i) => 1 + (i % 7))] as const;
    }),
  );
  it.each<[GgufMixName, Record<string, string>]>([
    ["q4_k_m", { token_embd: "q4_k", output: "q6_k", "blk.0.ffn_down": "q6_k", "blk.1.ffn_down": "q4_k" }],
    ["q3_k_m", { "blk.1.attn_v": "q5_k", "blk.2.attn_v": "q4_k", "blk.2.ffn_up": "q3_k" }],
    ["q4_0", { "blk.0.ffn_down": "q4_1", "blk.1.ffn_down": "q4_0", output: "q6_k" }],
  ])(
    "of %s are where llama.cpp has them, and it computes by them what is computed here",
    async (type, has) => {
      const path = await write(model, type, importance);
      const { tensors, metadata } = decodeGguf(readFileSync(path), path);
      for (const [name, own] of Object.entries(has))
        expect(tensors.get(`${name}.weight`)!.type, name).toBe(own);
      expect(metadata.get("general.quantization_version")?.value).toBe(2);
      const ids = [...prompt, 17, 250, 33, 90, 4, 211];
      const { model: rounded } = await loadModel(path);
      const after = await theirsAfterEach(path, ids);
      expect(share(await oursAfterEach(rounded, ids), after)).toBeGreaterThan(0.8);
    },
  );
});

describe("a folder's file", () => {
  it("is named by convention, has the folder's tokenizer, and is made the same again", async () => {
    const folder = folderOf("My model_2", families.gpt2!);
    const { path, sizeBytes, notes } = await ggufFolder(folder, { type: "q8_0" });
    expect(path).toBe(join(folder, "My-model-2-175K-v1.0-Q8_0.gguf"));
    expect(notes).toEqual([]);
    const sized = folderOf("Own-9K-Instruct", families.gpt2!);
    const other = await ggufFolder(sized, { type: "q8_0" });
    expect(other.path).toBe(join(sized, "Own-9K-Instruct-v1.0-Q8_0.gguf"));
    const bytes = readFileSync(path);
    expect(bytes.length).toBe(sizeBytes);
    const out = join(dir, "other.gguf");
    expect((await ggufFolder(folder, { type: "q8_0", out, name: "My model_2" })).path).toBe(out);
    expect(readFileSync(out).equals(bytes)).toBe(true);
    const { metadata, tensors } = decodeGguf(bytes, path);
    expect(metadata.get("general.architecture")?.value).toBe("gpt2");
    expect(metadata.get("tokenizer.ggml.pre")?.value).toBe("gpt-2");
    expect(metadata.get("tokenizer.chat_template")?.value).toBe("{{ messages[0].content }}");
    const types = Array.from(tensors, ([name, { type }]) => [name, type]);
    expect(Object.fromEntries(types)).toMatchObject({
      "token_embd.weight": "q8_0",
      "position_embd.weight": "f32",
      "blk.2.attn_qkv.weight": "q8_0",
      "blk.2.attn_qkv.bias": "f32",
      "output_norm.weight": "f32",
    });
    const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
    for (const text of ["the quick brown", "they don't,  12345 jump\n\n over \u00e4\u{1f600} it"]) {
      expect(model.tokenize(text), text).toEqual(Array.from(tokenizer.encode(text)));
      expect(model.detokenize(model.tokenize(text))).toBe(text);
    }
    expect(model.tokens.eos).toBe(tokenizer.eos);
    await model.dispose();
  });

  it("is refused where llama.cpp has no such thing", async () => {
    const folder = folderOf("relu", { ...families.gpt2, activation_function: "relu" });
    await expect(ggufFolder(folder, { type: "f32" })).rejects.toThrow(/activation_function.*relu/);
    await expect(ggufFolder(folder, { type: "q4km" })).rejects.toThrow(
      /must be one of f32, f16, q8_0.*q4_k_m/,
    );
    expect(readdirSync(folder).filter((name) => name.includes("gguf"))).toEqual([]);
  });
});
