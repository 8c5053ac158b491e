/** What a folder's files say of the tokenizer, in the GGUF file made of it. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeGguf } from "../../src/formats/gguf/read.ts";
import { encodeSafetensors } from "../../src/formats/safetensors/safetensors.ts";
import { llamaConfig } from "../../src/models/decoders/llama.ts";
import { architectures } from "../../src/models/registry.ts";
import { initialize, type ParamSpec, tensorsOf } from "../../src/nn/param.ts";
import { loadModel } from "../../src/node/model/folder.ts";
import { readTokenizer } from "../../src/node/model/tokenizerFiles.ts";
import { ggufFolder } from "../../src/recipes/export/gguf.ts";
import { trainBpe } from "../../src/tokenizer/bpe/trainBpe.ts";
import type { Tree } from "../../src/util/tree.ts";
import { type Kind, kinds, newPath, pieces, texts, vocabOnly } from "./ggufPieces.ts";

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
  const folder = newPath("-folder");
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
  const { path, notes } = await ggufFolder(folder, { type: "f32", out: newPath(".gguf") });
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
