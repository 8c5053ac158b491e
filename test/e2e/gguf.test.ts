/** GGUF files of every family as llama.cpp itself loads them: it takes ids in and gives the ids that we give. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LlamaContextSequence, Token } from "node-llama-cpp";
import { describe, expect, it } from "vitest";
import { type GgmlType, ggmlTypes } from "../../src/formats/gguf/ggml.ts";
import { decodeGguf } from "../../src/formats/gguf/read.ts";
import { encodeSafetensors } from "../../src/formats/safetensors/safetensors.ts";
import { type Tensor, tensor } from "../../src/ir/tensor.ts";
import { packable } from "../../src/models/linears.ts";
import type { Model } from "../../src/models/model.ts";
import { architectures } from "../../src/models/registry.ts";
import { tensorsOf } from "../../src/nn/param.ts";
import { writeFileDurable } from "../../src/node/files/files.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { ggufFolder } from "../../src/recipes/export/gguf.ts";
import { decoder } from "../../src/serve/decode/decoding.ts";
import { generate } from "../../src/serve/decode/generate.ts";
import { argmax } from "../../src/serve/decode/sample.ts";
import { gguf } from "../../src/ship/gguf/gguf.ts";
import { mapTree } from "../../src/util/tree.ts";
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

/** The weights as blocks hold them, rows running along what is summed over. */
const rounded = (model: Model, type: GgmlType): Model => {
  const { pack, unpack } = ggmlTypes[type];
  const matrices = packable(model.arch.linears(model.config));
  const turn = ({ shape: [rows, columns], data }: Tensor): Tensor => {
    const at = (i: number) => (i % rows!) * columns! + Math.floor(i / rows!);
    return tensor(
      "float32",
      [columns!, rows!],
      Float32Array.from({ length: data.length }, (_, i) => Number(data[at(i)])),
    );
  };
  const round = (t: Tensor): Tensor =>
    tensor("float32", t.shape, unpack(pack(t.data as Float32Array)) as Float32Array<ArrayBuffer>);
  const weights = mapTree<Tensor, Tensor>(model.weights, (t, path) => {
    const layout = matrices.get(path)?.layout;
    if (layout === undefined) return t;
    return layout === "nk" ? round(t) : turn(round(turn(t)));
  });
  return { ...model, weights };
};

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

const write = async (model: Model, type: GgmlType): Promise<string> => {
  const file = gguf(model, { type, tokenizer: files });
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
      const after = await theirsAfterEach(await write(model, type), ids);
      expect(share(await oursAfterEach(rounded(model, type), ids), after), type).toBeGreaterThan(0.8);
      if (type === "q8_0") expect(share(await oursAfterEach(model, ids), after)).toBeGreaterThan(0.8);
    }
  });
});

describe("a folder's file", () => {
  it("is named by convention, has the folder's tokenizer, and is made the same again", async () => {
    const folder = folderOf("My model_2", families.gpt2!);
    const { path, sizeBytes, notes } = await ggufFolder(folder, { type: "q8_0" });
    expect(path).toBe(join(folder, "My-model-2-175K-v1.0-Q8_0.gguf"));
    expect(notes).toEqual([]);
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
    await expect(ggufFolder(folder, { type: "q4_k" })).rejects.toThrow(/must be one of f32, f16, q8_0, q4_0/);
    expect(readdirSync(folder).filter((name) => name.includes("gguf"))).toEqual([]);
  });
});
