/** Small shipped folders, and a browser to load them in. */
import { existsSync } from "node:fs";
import type { Head, Model } from "../../src/models/model.ts";
import { usualPooling } from "../../src/models/pooling.ts";
import { architectures } from "../../src/models/registry.ts";
import { initialize, type ParamSpec } from "../../src/nn/param.ts";
import { writeFolder } from "../../src/node/files/files.ts";
import type { ExportDtype } from "../../src/ship/onnx/dtype.ts";
import { type ExportOptions, exportModel } from "../../src/ship/onnx/export.ts";
import { trainBpe } from "../../src/tokenizer/bpe/trainBpe.ts";
import type { Tree } from "../../src/util/tree.ts";
import { sentences } from "../e2e/command.ts";

/** Why there is no browser to test in; undefined where there is one. */
export const noBrowser = ["/usr/bin/chromium", "/usr/bin/google-chrome"].some((path) => existsSync(path))
  ? undefined
  : "no Chromium on this machine: apt install chromium";

/** A byte-level tokenizer of few tokens, the same each time. */
const bytePairs = () => trainBpe([sentences(60).join("\n")], { vocab: 300 }).files();

const added = (tokens: readonly string[]) =>
  tokens.map((content, id) => ({
    ...{ id, content, special: true, normalized: false },
    ...{ single_word: false, lstrip: false, rstrip: false },
  }));

const template = (start: readonly string[], end: readonly string[], vocab: readonly string[]) => {
  const piece = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const single = [...start.map(piece), { Sequence: { id: "A", type_id: 0 } }, ...end.map(piece)];
  const ending = end.map((id) => ({ SpecialToken: { id, type_id: 1 } }));
  const pair = start.length > 0 ? [...single, { Sequence: { id: "B", type_id: 1 } }, ...ending] : [];
  const known = [...start, ...end].map((id) => [id, { id, ids: [vocab.indexOf(id)], tokens: [id] }]);
  return { type: "TemplateProcessing", single, pair, special_tokens: Object.fromEntries(known) };
};

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

const bertVocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...words, ".", "##s", "##ly"];

/** WordPiece between [CLS] and [SEP], as BERT has it. */
const wordPieces = () => ({
  tokenizer: {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added(bertVocab.slice(0, 5)),
    normalizer: {
      ...{ type: "BertNormalizer", clean_text: true, handle_chinese_chars: true },
      ...{ strip_accents: null, lowercase: true },
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: template(["[CLS]"], ["[SEP]"], bertVocab),
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      ...{ type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##" },
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(bertVocab.map((token, i) => [token, i])),
    },
  },
  config: {
    ...{ tokenizer_class: "BertTokenizer", do_lower_case: true, model_max_length: 40 },
    ...{
      pad_token: "[PAD]",
      cls_token: "[CLS]",
      sep_token: "[SEP]",
      mask_token: "[MASK]",
      unk_token: "[UNK]",
    },
  },
});

const letters = [..."abcdefghijklmnopqrstuvwxyz"];
const unigramVocab = [
  "<pad>",
  "</s>",
  "<unk>",
  "\u2581",
  ...words.map((word) => `\u2581${word}`),
  ...letters,
];

/** Unigram pieces that end with </s>, as T5 and Marian have them. */
const unigrams = (tokenizerClass: string) => {
  const space = { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always", split: true };
  return {
    tokenizer: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: added(unigramVocab.slice(0, 3)),
      normalizer: null,
      pre_tokenizer: space,
      post_processor: template([], ["</s>"], unigramVocab),
      decoder: space,
      model: {
        ...{ type: "Unigram", unk_id: 2, byte_fallback: false },
        vocab: unigramVocab.map((piece, i) => [piece, i < 3 ? 0 : -piece.length]),
      },
    },
    config: {
      ...{ tokenizer_class: tokenizerClass, model_max_length: 64 },
      ...{ pad_token: "<pad>", eos_token: "</s>", unk_token: "<unk>" },
    },
  };
};

const labels = { id2label: { 0: "O", 1: "PET", 2: "PLACE" }, label2id: { O: 0, PET: 1, PLACE: 2 } };
const ends = { pad_token_id: 0, eos_token_id: 1, decoder_start_token_id: 0 };

/** A config, and the tokenizer that goes with it. */
export const families = {
  gpt2: {
    config: {
      ...{ vocab_size: 300, n_positions: 64, n_embd: 32, n_layer: 2, n_head: 2 },
      ...{ initializer_range: 0.1, bos_token_id: 0, eos_token_id: 0 },
    },
    files: bytePairs,
  },
  bert: {
    config: {
      ...{ vocab_size: bertVocab.length, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2 },
      ...{ intermediate_size: 64, max_position_embeddings: 40, initializer_range: 0.3, pad_token_id: 0 },
      ...labels,
    },
    files: wordPieces,
  },
  t5: {
    config: {
      ...{ vocab_size: unigramVocab.length, d_model: 32, d_kv: 8, d_ff: 48, num_layers: 2, num_heads: 3 },
      ...{ feed_forward_proj: "gated-gelu", dropout_rate: 0, ...ends },
    },
    files: () => unigrams("T5Tokenizer"),
  },
  marian: {
    config: {
      ...{ vocab_size: unigramVocab.length, d_model: 32, max_position_embeddings: 64, dropout: 0 },
      ...{ scale_embedding: true, activation_function: "swish", init_std: 0.3, ...ends },
      ...{ encoder_layers: 2, encoder_attention_heads: 4, encoder_ffn_dim: 48 },
      ...{ decoder_layers: 1, decoder_attention_heads: 2, decoder_ffn_dim: 48 },
    },
    files: () => unigrams("MarianTokenizer"),
  },
} as const;

export type Family = keyof typeof families;

/** A small model with fresh weights; an encoder of features pools. */
export const tinyModel = (family: Family, task?: Head, seed = 7): Model => {
  const arch = architectures[family]!;
  const named = task === undefined ? {} : { architectures: [arch.classes[task]] };
  const config = arch.parse({ model_type: family, ...families[family].config, ...named });
  const weights = initialize(arch.params(config) as Tree<ParamSpec>, seed);
  const pooling = arch.kind === "encoder" && task === "features" ? { pooling: usualPooling } : {};
  return { arch, config, weights, history: [], ...pooling };
};

/** Writes a model's folder with these dtypes and its family's tokenizer. */
export const writeModel = async (
  dir: string,
  model: Model,
  dtypes: readonly ExportDtype[],
  options: Pick<ExportOptions, "inlineLimitBytes"> = {},
): Promise<string> => {
  const { tokenizer, config } = families[model.arch.name as Family].files();
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const files = new Map([
    ["tokenizer.json", json(tokenizer)],
    ["tokenizer_config.json", json(config)],
  ]);
  const made = exportModel(model, { ...options, dtypes, files });
  await writeFolder(dir, new Map([...made, ["anneal.json", [json({})]]]));
  return dir;
};
