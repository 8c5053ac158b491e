/** Sequence-to-sequence models as the real @huggingface/transformers loads and runs them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AutoModelForSeq2SeqLM, AutoTokenizer, env, pipeline } from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../src/engine/engine.ts";
import { encodeOnnx } from "../../src/formats/onnx/onnx.ts";
import { type Tensor, tensor, tensorOf } from "../../src/ir/tensor.ts";
import { architectures } from "../../src/models/index.ts";
import type { Model, Seq2SeqArchitecture } from "../../src/models/model.ts";
import { initialize, type ParamSpec, type Weight } from "../../src/nn/param.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { adamw } from "../../src/optim/index.ts";
import { greedySearch, seq2seqDecoderOf } from "../../src/serve/decode/seq2seqDecoder.ts";
import { anyModelDtypes, graphFile } from "../../src/ship/onnx/dtype.ts";
import { onnxGraphs } from "../../src/ship/onnx/export.ts";
import { pairBatch } from "../../src/tasks/seq2seq/pairBatch.ts";
import { sequenceToSequence } from "../../src/tasks/seq2seq/sequenceToSequence.ts";
import { stepper } from "../../src/train/stepper.ts";
import { mapTree, type Tree } from "../../src/util/tree.ts";

const words = [
  "the",
  "cat",
  "sat",
  "on",
  "a",
  "mat",
  "dog",
  "ran",
  "far",
  "away",
  "red",
  "and",
  "old",
  "river",
];
const pieces = [
  "<pad>",
  "</s>",
  "<unk>",
  "▁",
  ...words.map((word) => `▁${word}`),
  ..."abcdefghijklmnopqrstuvwxyz",
];

/** A Unigram tokenizer.json whose texts end with </s>. */
const tokenizerJson = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: ["<pad>", "</s>", "<unk>"].map((content, id) => ({
    ...{ id, content, special: true, normalized: false },
    ...{ single_word: false, lstrip: false, rstrip: false },
  })),
  normalizer: null,
  pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
  post_processor: {
    type: "TemplateProcessing",
    single: [{ Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: "</s>", type_id: 0 } }],
    pair: [],
    special_tokens: { "</s>": { id: "</s>", ids: [1], tokens: ["</s>"] } },
  },
  decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
  model: {
    type: "Unigram",
    unk_id: 2,
    byte_fallback: false,
    vocab: pieces.map((piece, i) => [piece, i < 3 ? 0 : -piece.length]),
  },
};

const special = { pad_token: "<pad>", eos_token: "</s>", unk_token: "<unk>" };
const ids = { pad_token_id: 0, eos_token_id: 1, decoder_start_token_id: 0 };

const families = {
  t5: {
    tokenizerClass: "T5Tokenizer",
    task: "text2text-generation",
    config: {
      d_model: 32,
      d_kv: 8,
      d_ff: 48,
      num_layers: 2,
      num_heads: 3,
      feed_forward_proj: "gated-gelu",
      dropout_rate: 0,
    },
  },
  marian: {
    tokenizerClass: "MarianTokenizer",
    task: "translation",
    config: {
      ...{ d_model: 32, max_position_embeddings: 64, scale_embedding: true, activation_function: "swish" },
      ...{ encoder_layers: 2, encoder_attention_heads: 4, encoder_ffn_dim: 48 },
      ...{ decoder_layers: 1, decoder_attention_heads: 2, decoder_ffn_dim: 48, init_std: 0.15, dropout: 0 },
    },
  },
} as const;

/** The foreign language: the same words backwards. */
const sentences = [
  ...["the old cat sat on a red mat", "a dog ran", "the river ran far away", "a red dog and the old cat"],
  ...["the mat", "a cat ran away", "the dog sat on the red river mat", "old and red"],
];
const translated = (text: string): string => text.split(" ").reverse().join(" ");

/** The model after it has learnt the sentences by heart. */
const taught = async (model: Model, encode: (text: string) => number[]): Promise<Model> => {
  const arch = model.arch as Seq2SeqArchitecture;
  const pairs = sentences.map((text) => ({ source: encode(text), target: encode(translated(text)) }));
  const lengths = { source: 10, target: 10 };
  const objective = sequenceToSequence({ target: lengths.target });
  const optimizer = adamw({ weightDecay: 0 });
  const steps = await stepper(engine, model, { batch: pairs.length, context: 10, optimizer, objective });
  const batch = pairBatch(pairs, { ...arch.tokens(model.config), lengths });
  const feeds = [{ ...batch, seed: tensorOf("int32", [], [0]) }];
  let loss = Number.POSITIVE_INFINITY;
  for (let step = 1; step <= 300 && loss > 0.01; step++) ({ loss } = await steps.run(feeds, 5e-3, step));
  expect(loss).toBeLessThan(0.05);
  const learnt = steps.weights();
  const weights = mapTree<Weight, Tensor>(model.weights, (_, path) => {
    const t = learnt.get(path)!;
    return tensor(t.dtype, t.shape, t.data.slice());
  });
  await steps.dispose();
  return { ...model, weights };
};

const dtypes = [...anyModelDtypes];

const root = mkdtempSync(join(tmpdir(), "anneal-translation-"));
let engine: Engine;
beforeAll(async () => {
  env.allowRemoteModels = false;
  env.localModelPath = "/";
  engine = await nodeEngine({ threads: 1 });
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

const shipTokenizer = (dir: string, tokenizerClass: string): void => {
  mkdirSync(join(dir, "onnx"), { recursive: true });
  writeFileSync(join(dir, "tokenizer.json"), JSON.stringify(tokenizerJson));
  const config = { tokenizer_class: tokenizerClass, model_max_length: 64, ...special };
  writeFileSync(join(dir, "tokenizer_config.json"), JSON.stringify(config));
};

const ship = (dir: string, model: Model): void => {
  const write = (name: string, json: unknown) => writeFileSync(join(dir, name), JSON.stringify(json));
  write("config.json", model.config);
  write("generation_config.json", ids);
  for (const dtype of dtypes) {
    for (const [name, onnx] of onnxGraphs(model, dtype)) {
      writeFileSync(join(dir, graphFile(name, dtype)), encodeOnnx(onnx).model);
    }
  }
};

describe.each(Object.entries(families))("%s", (name, { tokenizerClass, task, config }) => {
  const dir = join(root, name);
  const arch = architectures[name] as Seq2SeqArchitecture;
  const parsed = arch.parse({ model_type: name, vocab_size: pieces.length, ...ids, ...config });
  const weights = initialize(arch.params(parsed) as Tree<ParamSpec>, 3);
  let model: Model;
  const texts = sentences.slice(0, 3);
  const maxTokens = 16;
  beforeAll(async () => {
    shipTokenizer(dir, tokenizerClass);
    const tokenizer = await AutoTokenizer.from_pretrained(dir);
    model = await taught({ arch, config: parsed, weights, history: [] }, (text) => tokenizer.encode(text));
    ship(dir, model);
  });

  test.each(dtypes)("%s: a batch of unequal texts gives anneal's tokens", async (dtype) => {
    const tokenizer = await AutoTokenizer.from_pretrained(dir);
    const loaded = await AutoModelForSeq2SeqLM.from_pretrained(dir, { dtype });
    const inputs = tokenizer(texts, { padding: true });
    const out = (await loaded.generate({ ...inputs, max_new_tokens: maxTokens, do_sample: false })) as {
      tolist(): bigint[][];
    };
    await loaded.dispose();
    const sources = texts.map((text) => tokenizer.encode(text));
    expect(new Set(sources.map(({ length }) => length)).size).toBe(3);
    const { start, pad, eos } = arch.tokens(parsed);
    const encoder = await engine.load(join(dir, graphFile("encoder_model", dtype)));
    const merged = await engine.load(join(dir, graphFile("decoder_model_merged", dtype)));
    const decoder = seq2seqDecoderOf({ encoder, decoder: merged }, arch.cache(parsed), pad);
    const made = await greedySearch(await decoder.encode(sources), { start, pad, eos, maxTokens });
    await decoder.dispose();
    const theirs = out.tolist().map((row) => row.slice(1).map(Number));
    // Rows that have ended go on there until all end at once: what counts is up to their own end.
    expect(theirs.map((row, i) => row.slice(0, made[i]!.length))).toEqual(made);
    if (dtype.startsWith("fp")) expect(made).toEqual(texts.map((text) => tokenizer.encode(translated(text))));
  });

  test("the pipeline writes what was learnt", async () => {
    const run = (await pipeline(task, dir, { dtype: "fp32" })) as {
      (texts: string[], options: object): Promise<Record<string, string>[]>;
      dispose(): Promise<void>;
    };
    const got: unknown[] = [];
    for (const text of sentences) {
      got.push(...(await run([text], { max_new_tokens: maxTokens })).flatMap(Object.values));
    }
    await run.dispose();
    expect(got).toEqual(sentences.map(translated));
  });
});
