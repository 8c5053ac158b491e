/** GGUF files of every family as llama.cpp itself loads them: it takes ids in and gives the ids that we give. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getLlama, type Llama, type LlamaContextSequence, LlamaLogLevel, type Token } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GgmlType, ggmlTypes } from "../../src/formats/gguf/ggml.ts";
import { decodeGguf } from "../../src/formats/gguf/read.ts";
import { encodeSafetensors } from "../../src/formats/safetensors/safetensors.ts";
import { type Tensor, tensor, zeros } from "../../src/ir/tensor.ts";
import { packable } from "../../src/models/linears.ts";
import type { Json, Model } from "../../src/models/model.ts";
import { architectures } from "../../src/models/registry.ts";
import { type ParamSpec, tensorsOf } from "../../src/nn/param.ts";
import { writeFileDurable } from "../../src/node/files/files.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { ggufFolder } from "../../src/recipes/export/gguf.ts";
import { decoder } from "../../src/serve/decode/decoding.ts";
import { generate } from "../../src/serve/decode/generate.ts";
import { argmax } from "../../src/serve/decode/sample.ts";
import { gguf } from "../../src/ship/gguf/gguf.ts";
import { trainBpe } from "../../src/tokenizer/bpe/trainBpe.ts";
import { charTokenizer } from "../../src/tokenizer/kinds/char.ts";
import { loadTokenizer } from "../../src/tokenizer/load.ts";
import { rng } from "../../src/util/rng.ts";
import { mapTree, type Tree } from "../../src/util/tree.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-gguf-"));
let llama: Llama;
beforeAll(async () => {
  llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error });
});
afterAll(async () => {
  await llama.dispose();
  rmSync(dir, { recursive: true, force: true });
});

/** One whose likeliest tokens lead by more than rounding to float16 moves them, in every family. */
const SEED = 11;

/** Weights far larger than a new model's, so that logits lie apart. */
const randomModel = (config: Readonly<Record<string, unknown>>, std: number): Model => {
  const arch = architectures[config.model_type as string]!;
  const parsed = arch.parse(config);
  const specs = arch.params(parsed) as Tree<ParamSpec>;
  const weights = mapTree<ParamSpec, Tensor>(specs, (spec, path) => {
    const t = zeros(spec);
    const random = rng(SEED, path);
    const isNorm = /norm|ln_/.test(path) && path.endsWith("weight");
    for (let i = 0; i < t.data.length; i++) t.data[i] = (isNorm ? 1 : 0) + std * random.normal();
    return t;
  });
  return { arch, config: parsed, weights, history: [] };
};

const VOCAB = 320;
const words = "the quick brown fox jumps over the lazy dog and 1234 other animals, don't they? ";
const tokenizer = trainBpe([words.repeat(20)], { vocab: 300 });
const { tokenizer: json, config: tokenizerConfig } = tokenizer.files();
const files = { tokenizer: json, config: tokenizerConfig };
const prompt = [5, 40, 77, 123, 8, 99, 200, 3, 61, 150];
const NEW = 24;

const llama3 = {
  rope_type: "llama3",
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 16,
};
const yarn = { rope_type: "yarn", factor: 4, original_max_position_embeddings: 16 };
const rotary = {
  vocab_size: VOCAB,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: false,
};

const families: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  gpt2: { model_type: "gpt2", vocab_size: VOCAB, n_positions: 64, n_embd: 64, n_layer: 3, n_head: 4 },
  ...Object.fromEntries(
    [
      ["llama", { model_type: "llama" }],
      ["llama3", { model_type: "llama", tie_word_embeddings: true, rope_scaling: llama3 }],
      ["llama linear", { model_type: "llama", rope_scaling: { rope_type: "linear", factor: 2 } }],
      ["llama yarn", { model_type: "llama", rope_scaling: yarn }],
      ["llama biases", { model_type: "llama", attention_bias: true, mlp_bias: true }],
      ["qwen2", { model_type: "qwen2" }],
      ["qwen3", { model_type: "qwen3", head_dim: 32 }],
    ].map(([name, fields]) => [name, { ...rotary, ...(fields as object) }]),
  ),
};

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

let count = 0;
const write = async (model: Model, type: GgmlType): Promise<string> => {
  const file = gguf(model, { type, tokenizer: files });
  const path = join(dir, `${count++}-${file.fileName}`);
  await writeFileDurable(path, file.chunks);
  return path;
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

/** Llama 2's kind: spaces are U+2581, and what has no token falls to its bytes. */
const sentencePiece = () => {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
  const merges = ["h e", "l l", "he ll", "hell o", "\u2581 hello", "\u2581 w", "\u2581w o"];
  const characters = ["\u2581", "h", "e", "l", "o", "w", "r", "d"];
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...characters, ...merges.map((m) => m.replace(" ", ""))];
  const special = (id: number) => ({ id, content: tokens[id]!, special: true });
  return {
    tokenizer: {
      added_tokens: [special(0), special(1), special(2)],
      normalizer: {
        type: "Sequence",
        normalizers: [
          { type: "Prepend", prepend: "\u2581" },
          { type: "Replace", pattern: { String: " " }, content: "\u2581" },
        ],
      },
      pre_tokenizer: null,
      post_processor: { type: "TemplateProcessing", single: [{ SpecialToken: { id: "<s>", type_id: 0 } }] },
      model: {
        type: "BPE",
        unk_token: "<unk>",
        byte_fallback: true,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges,
      },
    },
    config: { bos_token: "<s>", eos_token: { content: "</s>" } },
  };
};

describe("a tokenizer of another kind", () => {
  const load = async (files: Parameters<typeof gguf>[1]["tokenizer"]) => {
    const file = gguf(randomModel(families.gpt2!, 0.02), { type: "f32", tokenizer: files });
    const path = join(dir, `${count++}.gguf`);
    await writeFileDurable(path, file.chunks);
    return { model: await llama.loadModel({ modelPath: path, gpuLayers: 0 }), notes: file.notes };
  };

  it("SentencePiece's BPE splits as its merges say", async () => {
    const files = sentencePiece();
    const { model } = await load({ ...files, tokenizer: files.tokenizer as Json });
    const { vocab } = files.tokenizer.model;
    const ids = (...tokens: string[]) => tokens.map((token) => vocab[token]);
    expect(model.tokenize("hello world")).toEqual(ids("\u2581hello", "\u2581wo", "r", "l", "d"));
    expect(model.tokenize("hell\u00e4")).toEqual(ids("\u2581", "hell", "<0xC3>", "<0xA4>"));
    expect([model.tokens.bos, model.tokens.eos]).toEqual([1, 2]);
    expect(model.tokens.shouldPrependBosToken).toBe(true);
    await model.dispose();
  });

  it("characters become bytes where they are ASCII, and are refused elsewhere", async () => {
    const chars = charTokenizer(["hello, world\n"]);
    const { tokenizer: own, config } = chars.files();
    const { model } = await load({ tokenizer: own, config });
    expect(model.tokenize("low lore\n")).toEqual(Array.from(chars.encode("low lore\n")));
    await model.dispose();
    const wide = charTokenizer(["h\u00e4"]).files();
    await expect(load({ tokenizer: wide.tokenizer })).rejects.toThrow(/only ASCII/);
  });

  it("Unigram takes the likeliest pieces", async () => {
    const pieces = [
      ["<pad>", 0],
      ["</s>", 0],
      ["<unk>", 0],
      ["\u2581", -3],
      ["\u2581ab", -9],
      ["a", -4],
      ["b", -4],
      ["bc", -3],
      ["c", -4],
    ];
    const metaspace = { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always" };
    const model = { type: "Unigram", unk_id: 2, vocab: pieces };
    const loaded = await load({
      tokenizer: { pre_tokenizer: metaspace, model },
      config: { eos_token: "</s>" },
    });
    expect(loaded.model.tokenize("abc abab")).toEqual([3, 5, 7, 4, 5, 6]);
    await loaded.model.dispose();
  });

  it("byte-level BPE of each family is split by its own pattern", async () => {
    const family = (digits: string) =>
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" +
      `${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
    const split = (Regex: string) => [
      { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false },
      { type: "ByteLevel", add_prefix_space: false, use_regex: false },
    ];
    const words = { type: "ByteLevel", add_prefix_space: false, use_regex: true };
    const forms = {
      "llama-bpe": split(family("\\p{N}{1,3}")),
      qwen2: split(family("\\p{N}")),
      smollm: [{ type: "Digits", individual_digits: true }, words],
      "gpt-2": [words],
    };
    const text = "They'LL don't  pay 1234567 (or 89!!)\r\n\n\n  to \u00e4\u4f60\u597d   ";
    const digits = Array.from({ length: 9 }, (_, i) => [1, 2, 3, 4, 5, 6, 7, 8, 9].slice(i, i + 4).join(""));
    const learnt = trainBpe([`${text} ${digits.join(" ")} `.repeat(9)], { vocab: 305 }).files();
    for (const [pre, pretokenizers] of Object.entries(forms)) {
      const form = { ...(learnt.tokenizer as object), pre_tokenizer: { type: "Sequence", pretokenizers } };
      const { model, notes } = await load({ tokenizer: form, config: learnt.config });
      expect(notes, pre).toEqual([]);
      const own = loadTokenizer(form as Json, learnt.config);
      expect(model.tokenize(text), pre).toEqual(Array.from(own.encode(text)));
      await model.dispose();
    }
  });

  it("WordPiece is refused, and a pattern that llama.cpp does not know is said", async () => {
    const wordPiece = { model: { type: "WordPiece", vocab: {} } };
    await expect(load({ tokenizer: wordPiece })).rejects.toThrow(
      /tokenizer.json: has a model of type "WordPiece"/,
    );
    const split = { type: "Split", pattern: { Regex: "[a-z]+" }, behavior: "Isolated", invert: false };
    const bytes = { type: "ByteLevel", use_regex: false };
    const other = { ...(json as object), pre_tokenizer: { type: "Sequence", pretokenizers: [split, bytes] } };
    const { model, notes } = await load({ tokenizer: other });
    await model.dispose();
    expect(notes.join()).toMatch(/no known name/);
  });
});
