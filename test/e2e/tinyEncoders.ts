/** Encoders of a few words with each family's tokenizer, and folders of them as transformers.js reads them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AutoTokenizer, env } from "@huggingface/transformers";
import { afterAll, beforeAll } from "vitest";
import { quantize } from "../../src/compress/quantize.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { toOnnx } from "../../src/formats/onnx/lower.ts";
import { encodeOnnx } from "../../src/formats/onnx/onnx.ts";
import { architectures } from "../../src/models/index.ts";
import type { Head, Model } from "../../src/models/model.ts";
import { initialize, type ParamSpec } from "../../src/nn/param.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { optimize } from "../../src/rewrite/index.ts";
import { encoderOf, encoderProgram } from "../../src/serve/graphs/encoder.ts";
import type { Tree } from "../../src/util/tree.ts";

/** Ids are places in this list: special tokens, words, and a word's end. */
const special = {
  bert: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
  // RoBERTa's padding is 1.
  roberta: ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
} as const;

const words = ["the", "cat", "sat", "on", "a", "mat", "dog", "ran", "far", "away", ".", "##s", "##ly", "red"];

interface Family {
  readonly tokens: readonly string[];
  readonly pad: string;
  readonly start: string;
  readonly end: string;
  readonly mask: string;
  readonly unknown: string;
  readonly tokenizerClass: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Of another kind than WordPiece. */
  readonly parts?: (family: Family) => Readonly<Record<string, unknown>>;
}

/** SentencePiece's pieces and their scores, as XLM-R has them. */
const unigrams = ({ tokens, unknown }: Family) => {
  const space = { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always", split: true };
  const vocab = tokens.map((token, i) => [token, i < 5 ? 0 : -token.length]);
  return {
    normalizer: { type: "Lowercase" },
    pre_tokenizer: space,
    decoder: space,
    model: { type: "Unigram", unk_id: tokens.indexOf(unknown), byte_fallback: false, vocab },
  };
};

const bertShape = {
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 40,
};

const bracketed = { pad: "[PAD]", start: "[CLS]", end: "[SEP]", mask: "[MASK]", unknown: "[UNK]" };

export const families: Readonly<Record<string, Family>> = {
  bert: {
    ...bracketed,
    tokens: [...special.bert, ...words],
    tokenizerClass: "BertTokenizer",
    config: { ...bertShape, pad_token_id: 0 },
  },
  roberta: {
    tokens: [...special.roberta, ...words],
    pad: "<pad>",
    start: "<s>",
    end: "</s>",
    mask: "<mask>",
    unknown: "<unk>",
    tokenizerClass: "PreTrainedTokenizer",
    config: { ...bertShape, type_vocab_size: 1, pad_token_id: 1 },
  },
  "xlm-roberta": {
    tokens: [
      ...special.roberta,
      ...words.slice(0, 10).map((word) => `\u2581${word}`),
      ".",
      "s",
      "ly",
      "\u2581red",
    ],
    pad: "<pad>",
    start: "<s>",
    end: "</s>",
    mask: "<mask>",
    unknown: "<unk>",
    tokenizerClass: "XLMRobertaTokenizer",
    config: { ...bertShape, type_vocab_size: 1, pad_token_id: 1 },
    parts: unigrams,
  },
  mpnet: {
    tokens: [...special.roberta, ...words],
    pad: "<pad>",
    start: "<s>",
    end: "</s>",
    mask: "<mask>",
    unknown: "<unk>",
    tokenizerClass: "MPNetTokenizer",
    config: { ...bertShape, pad_token_id: 1 },
  },
  distilbert: {
    ...bracketed,
    tokens: [...special.bert, ...words],
    tokenizerClass: "DistilBertTokenizer",
    config: {
      dim: 16,
      n_layers: 2,
      n_heads: 2,
      hidden_dim: 32,
      max_position_embeddings: 40,
      pad_token_id: 0,
    },
  },
};

const tokenizerJson = (family: Family) => {
  const { tokens, unknown, start, end, pad } = family;
  const id = (token: string): number => tokens.indexOf(token);
  const specials = tokens.slice(0, 5);
  const piece = (token: string, type_id: number) => ({ SpecialToken: { id: token, type_id } });
  const text = (name: string, type_id: number) => ({ Sequence: { id: name, type_id } });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specials.map((content) => ({
      id: id(content),
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [piece(start, 0), text("A", 0), piece(end, 0)],
      pair: [piece(start, 0), text("A", 0), piece(end, 0), text("B", 1), piece(end, 1)],
      special_tokens: Object.fromEntries(
        [start, end, pad].map((token) => [token, { id: token, ids: [id(token)], tokens: [token] }]),
      ),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: unknown,
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(tokens.map((token, i) => [token, i])),
    },
    ...family.parts?.(family),
  };
};

const tokenizerConfig = (family: Family) => ({
  tokenizer_class: family.tokenizerClass,
  do_lower_case: true,
  pad_token: family.pad,
  cls_token: family.start,
  sep_token: family.end,
  mask_token: family.mask,
  unk_token: family.unknown,
  model_max_length: 38,
});

export const labels = {
  id2label: { 0: "O", 1: "B-PET", 2: "I-PET" },
  label2id: { O: 0, "B-PET": 1, "I-PET": 2 },
};

export const modelOf = (name: string, task: Head): Model => {
  const arch = architectures[name]!;
  const { tokens, config } = families[name]!;
  const fields = {
    model_type: name,
    vocab_size: tokens.length,
    initializer_range: 0.3,
    ...labels,
    ...config,
  };
  const parsed = arch.parse({ ...fields, architectures: [arch.classes[task]] });
  const weights = initialize(arch.params(parsed) as Tree<ParamSpec>, 3);
  return { arch, config: parsed, weights, history: [] };
};

const dir = mkdtempSync(join(tmpdir(), "anneal-encoders-"));

export let engine: Engine;

beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
  env.allowRemoteModels = false;
  env.localModelPath = "/";
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const onnxOf = (model: Model): Uint8Array => encodeOnnx(toOnnx(optimize(encoderProgram(model)))).model;

/** Writes the folder that transformers.js loads, and returns its path. */
export const shipped = async (name: string, task: Head, model: Model): Promise<string> => {
  const path = join(dir, `${name}-${task}`);
  mkdirSync(join(path, "onnx"), { recursive: true });
  const json = (file: string, value: unknown) => writeFileSync(join(path, file), JSON.stringify(value));
  json("config.json", model.config);
  json("tokenizer.json", tokenizerJson(families[name]!));
  json("tokenizer_config.json", tokenizerConfig(families[name]!));
  writeFileSync(join(path, "onnx/model.onnx"), onnxOf(model));
  const packed = await quantize({ bits: 8 }).run(model, {} as never);
  writeFileSync(join(path, "onnx/model_quantized.onnx"), onnxOf(packed));
  return path;
};

/** What our own engine gives for texts, tokenized by transformers.js. */
export const ours = async (model: Model, path: string, texts: readonly string[]) => {
  const tokenizer = await AutoTokenizer.from_pretrained(path);
  const encoded = texts.map((text) => {
    const { input_ids, token_type_ids } = tokenizer(text) as Record<string, { data: BigInt64Array }>;
    const types = token_type_ids === undefined ? {} : { types: Array.from(token_type_ids.data, Number) };
    return { ids: Array.from(input_ids!.data, Number), ...types };
  });
  const encoder = await encoderOf(engine, model);
  const out = await encoder.run(encoded);
  await encoder.dispose();
  return { ...out, encoded };
};
