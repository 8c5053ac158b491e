/** Vocabularies in GGUF files of every kind, written and read, beside llama.cpp's own splitting. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getLlama, type Llama, LlamaLogLevel } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeGguf, type GgufTensor, type GgufValue } from "../../src/formats/gguf/gguf.ts";
import { decodeGguf } from "../../src/formats/gguf/read.ts";
import { encodeSafetensors } from "../../src/formats/safetensors/safetensors.ts";
import { llamaConfig } from "../../src/models/decoders/llama.ts";
import { architectures } from "../../src/models/registry.ts";
import { initialize, type ParamSpec, tensorsOf } from "../../src/nn/param.ts";
import { loadModel } from "../../src/node/model/folder.ts";
import { readTokenizer } from "../../src/node/model/tokenizerFiles.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { ggufFolder } from "../../src/recipes/export/gguf.ts";
import { encoderOf } from "../../src/serve/graphs/encoder.ts";
import { trainBpe } from "../../src/tokenizer/bpe/trainBpe.ts";
import { rng } from "../../src/util/rng.ts";
import type { Tree } from "../../src/util/tree.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-gguf-tokens-"));
let llama: Llama;
beforeAll(async () => {
  llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.disabled });
});
afterAll(async () => {
  await llama.dispose();
  rmSync(dir, { recursive: true, force: true });
});

const list = (of: "string" | "float32" | "int32", value: readonly (string | number)[]): GgufValue => ({
  type: "array",
  of,
  value,
});
const string = (value: string): GgufValue => ({ type: "string", value });
const uint32 = (value: number): GgufValue => ({ type: "uint32", value });
const float32 = (value: number): GgufValue => ({ type: "float32", value });
const bool = (value: boolean): GgufValue => ({ type: "bool", value });

let count = 0;
const save = (keys: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensor[] = []): string => {
  const path = join(dir, `${count++}.gguf`);
  const { chunks } = encodeGguf({ metadata: new Map(Object.entries(keys)), tensors });
  writeFileSync(path, Buffer.concat([...chunks]));
  return path;
};

const vocabOnly = (path: string) => llama.loadModel({ modelPath: path, gpuLayers: 0, vocabOnly: true });

const shape = {
  "general.architecture": string("llama"),
  "llama.context_length": uint32(32),
  "llama.embedding_length": uint32(32),
  "llama.feed_forward_length": uint32(32),
  "llama.block_count": uint32(1),
  "llama.attention.head_count": uint32(1),
  "llama.attention.layer_norm_rms_epsilon": float32(1e-5),
};

type Kind = "normal" | "unknown" | "control" | "user" | "unused" | "byte";
const kinds: readonly Kind[] = ["normal", "unknown", "control", "user", "unused", "byte"];

const bytes = Array.from({ length: 256 }, (_, i): [string, number, Kind] => [
  `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`,
  0,
  "byte",
]);
const words = [
  "\u2581h",
  "el",
  "lo",
  "\u2581hel",
  "\u2581hello",
  "\u2581w",
  "or",
  "ld",
  "\u2581wor",
  "\u2581\u2581",
];
/** Llama 2's kind. */
const pieces: readonly [string, number, Kind][] = [
  ["<unk>", 0, "unknown"],
  ["<s>", 0, "control"],
  ["</s>", 0, "control"],
  ...bytes,
  ...words.map((word, i): [string, number, Kind] => [word, -1 - i, "normal"]),
  ...["\u2581", "h", "e", "l", "o", "w", "r", "d"].map((c, i): [string, number, Kind] => [
    c,
    -99 - i,
    "normal",
  ]),
  ["<|user|>", 0, "control"],
  ["<tool>", 0, "user"],
  ["[PAD277]", 0, "unused"],
];

const sentencePiece = {
  ...shape,
  "tokenizer.ggml.model": string("llama"),
  "tokenizer.ggml.tokens": list(
    "string",
    pieces.map(([piece]) => piece),
  ),
  "tokenizer.ggml.scores": list(
    "float32",
    pieces.map(([, score]) => score),
  ),
  "tokenizer.ggml.token_type": list(
    "int32",
    pieces.map(([, , kind]) => kinds.indexOf(kind) + 1),
  ),
  "tokenizer.ggml.bos_token_id": uint32(1),
  "tokenizer.ggml.eos_token_id": uint32(2),
  "tokenizer.ggml.unknown_token_id": uint32(0),
};

const texts = [
  "hello world",
  "  hello   world ",
  "h\u00e4llo\n\tworld",
  "a<tool>hello",
  "",
  "hello<|user|>hello</s>",
];

describe("SentencePiece", () => {
  it.each([true, false])("splits as llama.cpp does where a space is put first: %s", async (space) => {
    const path = save({ ...sentencePiece, "tokenizer.ggml.add_space_prefix": bool(space) });
    const [own, model] = [await readTokenizer(path), await vocabOnly(path)];
    for (const text of texts) {
      for (const special of [true, false]) {
        const ids = Array.from(own.encode(text, { special }));
        expect(ids, JSON.stringify([text, special])).toEqual(model.tokenize(text, special));
      }
    }
    expect(Array.from(own.encode("hello", { template: true })).slice(0, 1)).toEqual([1]);
    expect(own.vocabSize).toBe(pieces.length - 1);
    await model.dispose();
  });

  it("is refused by the key that is wrong: scores, kinds and ids must fit", async () => {
    const broken = async (key: string, value: GgufValue | undefined, message: RegExp) => {
      const keys: Record<string, GgufValue> = { ...sentencePiece };
      if (value === undefined) delete keys[`tokenizer.ggml.${key}`];
      else keys[`tokenizer.ggml.${key}`] = value;
      await expect(readTokenizer(save(keys)), key).rejects.toThrow(message);
    };
    await broken("model", string("rwkv"), /"tokenizer.ggml.model": is "rwkv", a kind that is not known/);
    await broken("model", undefined, /"tokenizer.ggml.model": is not there/);
    await broken("model", uint32(1), /"tokenizer.ggml.model": must be a text, not 1/);
    await broken("tokens", list("string", []), /"tokenizer.ggml.tokens": is empty/);
    await broken(
      "tokens",
      list("string", ["a", "a"]),
      /"tokenizer.ggml.eos_token_id": is 2, but there are 2 tokens/,
    );
    await broken("scores", undefined, /"tokenizer.ggml.scores": is not there/);
    await broken("scores", list("float32", [1]), /"tokenizer.ggml.scores": has 1 entries/);
    await broken("token_type", list("int32", [1, 2]), /"tokenizer.ggml.token_type": has 2 entries/);
    await broken("bos_token_id", uint32(999), /"tokenizer.ggml.bos_token_id": is 999/);
    const twice = pieces.map(([piece]) => (piece === "h" ? "el" : piece));
    await broken("tokens", list("string", twice), /"tokenizer.ggml.tokens": has "el" twice/);
  });
});

const varint = (x: number): number[] => (x < 128 ? [x] : [(x & 127) | 128, ...varint(x >>> 7)]);
const field = (number: number, content: readonly number[]): number[] => [
  ...varint(number * 8 + 2),
  ...varint(content.length),
  ...content,
];
const fixed = (x: number): number[] => [...new Uint8Array(Float32Array.of(x).buffer)];
/** A SentencePiece model of `pieces`: BPE, with a space first, and nothing normalized. */
const spm = (): Uint8Array => {
  const types: Readonly<Record<Kind, number>> = {
    normal: 1,
    unknown: 2,
    control: 3,
    user: 4,
    unused: 5,
    byte: 6,
  };
  const all = pieces.flatMap(([piece, score, kind]) =>
    field(1, [...field(1, [...new TextEncoder().encode(piece)]), 0x15, ...fixed(score), 0x18, types[kind]]),
  );
  const trainer = field(2, [0x18, 2, ...varint(35 * 8), 1]);
  const normalizer = field(3, [...varint(3 * 8), 1, ...varint(4 * 8), 0, ...varint(5 * 8), 1]);
  return Uint8Array.from([...all, ...trainer, ...normalizer]);
};

const modelFolder = (files: Readonly<Record<string, unknown>>, vocab_size: number): string => {
  const folder = join(dir, `folder-${count++}`);
  mkdirSync(folder);
  const config = llamaConfig({
    vocab_size,
    hidden_size: 32,
    intermediate_size: 32,
    num_hidden_layers: 1,
    num_attention_heads: 1,
    num_key_value_heads: 1,
    max_position_embeddings: 32,
    bos_token_id: 7,
    eos_token_id: 8,
  });
  const weights = initialize(architectures.llama!.params(config) as Tree<ParamSpec>, 1);
  const tensors = encodeSafetensors(new Map(tensorsOf(weights)), { format: "pt" });
  writeFileSync(join(folder, "model.safetensors"), Buffer.concat(tensors));
  for (const [name, content] of Object.entries({ "config.json": config, ...files })) {
    const isText = typeof content === "string" || content instanceof Uint8Array;
    writeFileSync(join(folder, name), isText ? content : JSON.stringify(content));
  }
  return folder;
};

const written = async (folder: string) => {
  const { path, notes } = await ggufFolder(folder, { type: "f32", out: join(dir, `${count++}.gguf`) });
  const { metadata } = decodeGguf(readFileSync(path), path);
  const of = (key: string) => metadata.get(`tokenizer.ggml.${key}`)?.value;
  return { path, notes, of };
};

describe("what a folder's files say of the tokenizer", () => {
  it("a SentencePiece model goes along piece by piece", async () => {
    const folder = modelFolder(
      {
        "tokenizer.model": spm(),
        "tokenizer_config.json": { tokenizer_class: "LlamaTokenizer", bos_token: "<s>" },
      },
      pieces.length,
    );
    const { path, of } = await written(folder);
    expect([of("model"), of("bos_token_id"), of("add_bos_token"), of("add_space_prefix")]).toEqual([
      "llama",
      1,
      true,
      true,
    ]);
    expect(of("scores")).toEqual(pieces.map(([, score]) => score));
    expect(of("token_type")).toEqual(pieces.map(([, , kind]) => kinds.indexOf(kind) + 1));
    const [own, again, model] = [
      await readTokenizer(folder),
      await readTokenizer(path),
      await vocabOnly(path),
    ];
    for (const text of texts.slice(0, 3)) {
      expect(Array.from(own.encode(text)), text).toEqual(model.tokenize(text));
      expect(again.encode(text, { template: true }), text).toEqual(own.encode(text, { template: true }));
    }
    await model.dispose();
  });

  it("and so does a vocabulary of GPT-2's age", async () => {
    const { tokenizer } = trainBpe(["the quick brown fox ".repeat(9)], { vocab: 280 }).files();
    const { vocab, merges } = (tokenizer as { model: { vocab: object; merges: string[] } }).model;
    const folder = modelFolder(
      { "vocab.json": vocab, "merges.txt": `#version: 0.2\n${merges.join("\n")}\n` },
      280,
    );
    const { path, of } = await written(folder);
    expect([of("model"), of("pre"), of("bos_token_id"), of("eos_token_id")]).toEqual(["gpt2", "gpt-2", 7, 8]);
    const text = "the quick brown fox, 12 foxes";
    expect((await readTokenizer(path)).encode(text)).toEqual((await readTokenizer(folder)).encode(text));
  });

  const byteLevel = trainBpe(["the quick brown fox ".repeat(9)], { vocab: 280 }).files().tokenizer as object;
  const added = ["<s>", "</s>", "<end>"].map((content, i) => ({ id: 280 + i, content, special: true }));
  const tokenizer = { ...byteLevel, added_tokens: added };
  it.each([
    ["tokenizer_config.json", { bos_token: "<s>", eos_token: { content: "</s>" } }, [280, 281]],
    ["special_tokens_map.json", { bos_token: { content: "<s>" }, eos_token: "</s>" }, [280, 281]],
    ["generation_config.json", { bos_token_id: 280, eos_token_id: [281, 282] }, [280, 281, 282]],
    ["config.json", { bos_token_id: 280, eos_token_id: 281 }, [280, 281]],
  ] as const)("BOS and EOS are taken from %s", async (name, fields, [bos, eos, eot]) => {
    const around = {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [],
      special_tokens: { "<s>": { id: "<s>", ids: [280], tokens: ["<s>"] } },
    };
    const folder = modelFolder({ "tokenizer.json": { ...tokenizer, post_processor: around } }, 283);
    const file = join(folder, name);
    const before = name === "config.json" ? JSON.parse(readFileSync(file, "utf8")) : {};
    writeFileSync(file, JSON.stringify({ ...before, ...fields }));
    const { path, of } = await written(folder);
    expect([of("bos_token_id"), of("eos_token_id"), of("eot_token_id")]).toEqual([bos, eos, eot]);
    expect(of("add_bos_token")).toBe(true);
    const stops = (await loadModel(path)).generation.stopIds;
    expect(stops).toEqual(eot === undefined ? [eos] : [eos, eot]);
  });

  it("a space that is put first is said, which llama.cpp does not put", async () => {
    const pre_tokenizer = { type: "ByteLevel", add_prefix_space: true, use_regex: true };
    const folder = modelFolder({ "tokenizer.json": { ...tokenizer, pre_tokenizer } }, 283);
    expect((await written(folder)).notes.join()).toMatch(/add_prefix_space/);
    const other = modelFolder({ "tokenizer.json": tokenizer }, 283);
    expect((await written(other)).notes).toEqual([]);
  });
});

describe("BERT", () => {
  const plain = [
    "the",
    "quick",
    "##ly",
    "##er",
    "fox",
    "un",
    "##quick",
    ",",
    "!",
    "a",
    "##b",
    "\u4f60",
    "caf",
  ];
  const specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
  const tokens = [...specials, ...plain.map((t) => (t.startsWith("##") ? t.slice(2) : `\u2581${t}`))];
  const [width, inner, layers, positions] = [32, 64, 2, 32];
  const random = (name: string, ...size: number[]): GgufTensor => {
    const values = Float32Array.from({ length: size.reduce((a, d) => a * d) }, () => 0);
    const normal = rng(5, name);
    for (let i = 0; i < values.length; i++)
      values[i] = (/norm.*weight/.test(name) ? 1 : 0) + 0.2 * normal.normal();
    return { name, shape: size, type: "f32", values: () => values };
  };
  const pair = (name: string, ...size: number[]): GgufTensor[] => [
    random(`${name}.weight`, ...size),
    random(`${name}.bias`, size[0]!),
  ];
  const tensors = [
    random("token_embd.weight", tokens.length, width),
    random("position_embd.weight", positions, width),
    random("token_types.weight", 2, width),
    ...pair("token_embd_norm", width),
    ...Array.from({ length: layers }, (_, i) => [
      ...["attn_q", "attn_k", "attn_v", "attn_output"].flatMap((n) => pair(`blk.${i}.${n}`, width, width)),
      ...pair(`blk.${i}.attn_output_norm`, width),
      ...pair(`blk.${i}.ffn_up`, inner, width),
      ...pair(`blk.${i}.ffn_down`, width, inner),
      ...pair(`blk.${i}.layer_output_norm`, width),
    ]).flat(),
  ];
  const path = () =>
    save(
      {
        "general.architecture": string("bert"),
        "bert.context_length": uint32(positions),
        "bert.embedding_length": uint32(width),
        "bert.feed_forward_length": uint32(inner),
        "bert.block_count": uint32(layers),
        "bert.attention.head_count": uint32(4),
        "bert.attention.layer_norm_epsilon": float32(1e-12),
        "bert.attention.causal": bool(false),
        "bert.pooling_type": uint32(1),
        "tokenizer.ggml.model": string("bert"),
        "tokenizer.ggml.token_type_count": uint32(2),
        "tokenizer.ggml.tokens": list("string", tokens),
        "tokenizer.ggml.token_type": list(
          "int32",
          tokens.map((_, i) => (i < 5 ? 3 : 1)),
        ),
        "tokenizer.ggml.unknown_token_id": uint32(1),
        "tokenizer.ggml.cls_token_id": uint32(2),
        "tokenizer.ggml.bos_token_id": uint32(2),
        "tokenizer.ggml.seperator_token_id": uint32(3),
        "tokenizer.ggml.eos_token_id": uint32(3),
        "tokenizer.ggml.padding_token_id": uint32(0),
        "tokenizer.ggml.mask_token_id": uint32(4),
      },
      tensors,
    );

  it("splits text and computes embeddings as llama.cpp does", async () => {
    const file = path();
    const { model: own } = await loadModel(file);
    expect(own.config).toMatchObject({
      model_type: "bert",
      architectures: ["BertModel"],
      hidden_act: "gelu",
    });
    const tokenizer = await readTokenizer(file);
    const model = await llama.loadModel({ modelPath: file, gpuLayers: 0 });
    const text = "The quickly quicker FOX, unquick! a ab \u4f60";
    const ids = Array.from(tokenizer.encode(text, { template: true }));
    expect(ids.slice(1, -1)).toEqual(model.tokenize(text));
    expect([ids[0], ids.at(-1)]).toEqual([2, 3]);
    const context = await model.createEmbeddingContext({ threads: 1 });
    const { vector } = await context.getEmbeddingFor(text);
    await model.dispose();
    const encoder = await encoderOf(await nodeEngine({ threads: 1 }), own);
    const { output } = await encoder.run([{ ids }]);
    await encoder.dispose();
    const mean = Array.from({ length: width }, (_, c) =>
      ids.reduce((sum, _id, t) => sum + Number(output.data[t * width + c]) / ids.length, 0),
    );
    const size = (v: readonly number[]) => Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
    const dot = mean.reduce((sum, x, c) => sum + x * vector[c]!, 0);
    expect(dot / size(mean) / size(vector)).toBeGreaterThan(0.99999);
  });
});
