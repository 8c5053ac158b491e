/** Vocabularies in GGUF files of every kind, written and read, beside llama.cpp's own splitting. */
import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { encodeGguf, type GgufTensor, type GgufValue } from "../../src/formats/gguf/gguf.ts";
import { loadModel } from "../../src/node/model/folder.ts";
import { readTokenizer } from "../../src/node/model/tokenizerFiles.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { encoderOf } from "../../src/serve/graphs/encoder.ts";
import { rng } from "../../src/util/rng.ts";
import { kinds, llama, newPath, pieces, texts, vocabOnly } from "./ggufPieces.ts";

const list = (of: "string" | "float32" | "int32", value: readonly (string | number)[]): GgufValue => ({
  type: "array",
  of,
  value,
});

const string = (value: string): GgufValue => ({ type: "string", value });

const uint32 = (value: number): GgufValue => ({ type: "uint32", value });

const float32 = (value: number): GgufValue => ({ type: "float32", value });

const bool = (value: boolean): GgufValue => ({ type: "bool", value });

const save = (keys: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensor[] = []): string => {
  const path = newPath(".gguf");
  const { chunks } = encodeGguf({ metadata: new Map(Object.entries(keys)), tensors });
  writeFileSync(path, Buffer.concat([...chunks]));
  return path;
};

const shape = {
  "general.architecture": string("llama"),
  "llama.context_length": uint32(32),
  "llama.embedding_length": uint32(32),
  "llama.feed_forward_length": uint32(32),
  "llama.block_count": uint32(1),
  "llama.attention.head_count": uint32(1),
  "llama.attention.layer_norm_rms_epsilon": float32(1e-5),
};

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
