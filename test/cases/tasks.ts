/** A small model and data for each task. */

import { gpt2, gpt2Config } from "../../src/models/decoders/gpt2.ts";
import { bert, bertConfig } from "../../src/models/encoders/bert.ts";
import { electra, electraConfig } from "../../src/models/encoders/electra.ts";
import type { Architecture, Model, ModelConfig } from "../../src/models/model.ts";
import { marian } from "../../src/models/seq2seq/marian.ts";
import { initialize } from "../../src/nn/param.ts";
import type { TaskName } from "../../src/tasks/index.ts";
import { labelled as labelledTokens } from "../../src/tasks/instruct/encode.ts";
import { completionTokens } from "../../src/tasks/instruct/tokens.ts";
import type { Example } from "../../src/tasks/records.ts";
import type { Material } from "../../src/tasks/task.ts";
import { marked, marks } from "../../src/tokenizer/bpe/marked.ts";
import { type Tokenizer, trainBpe } from "../../src/tokenizer/index.ts";

export interface TaskCase {
  readonly tokenizer: Tokenizer;
  readonly model: Model;
  readonly material: Material;
}

const line = "the quick brown fox jumps over the lazy dog and runs away. ";
const text = line.repeat(40);
const modelOf = (arch: Architecture, config: ModelConfig): Model => ({
  arch,
  config,
  weights: initialize(arch.params(config) as never, 1),
  history: [],
});
const textOf = (tokenizer: Tokenizer): Material => {
  const tokens = tokenizer.encode(text);
  return { kind: "text", train: tokens, validation: tokens.subarray(0, 120) };
};

const plain = trainBpe([text], { vocab: 300 });
const forBert = marked(trainBpe([text], { vocab: 300, specialTokens: marks.bert.tokens }), marks.bert);
export const forSpans = marked(trainBpe([text], { vocab: 400, specialTokens: marks.t5.tokens }), marks.t5);

const pairs = Array.from({ length: 24 }, (_, i) => ({
  source: forSpans.encodeInputs(`number ${i} of the fox`).ids,
  target: forSpans.encodeInputs(`fox ${i}`).ids,
}));

const sizes = { vocab_size: 300, n_positions: 32, n_embd: 32, n_layer: 1, n_head: 2 };

const bertSizes = {
  ...{ vocab_size: 300, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2 },
  ...{ intermediate_size: 64, max_position_embeddings: 32, pad_token_id: forBert.specials.pad! },
};

/** Texts whose label is whether a fox is in them. */
const labelled: Material = (() => {
  const words = ["quick", "brown", "jumps", "over", "lazy", "dog", "runs"];
  const examples = Array.from({ length: 48 }, (_, i): Example => {
    const some = Array.from({ length: 2 + (i % 4) }, (__, k) => words[(i * 3 + k * 5) % words.length]!);
    const text = (i % 2 === 1 ? [...some, "fox"] : some).join(" ");
    const { ids, typeIds } = forBert.encodeInputs(text, { maxLength: 16 });
    return { length: ids.length, parts: { ids, types: typeIds, labels: [i % 2] }, unit: i };
  });
  return { kind: "examples", train: examples.slice(12), validation: examples.slice(0, 12) };
})();

const learntRow = (i: number, answer: string) => {
  const tokens = completionTokens(plain, `quick ${i}`, answer);
  const { ids, labels } = labelledTokens(tokens, { id: "", fields: {} }, { context: 32, tooLong: "refuse" });
  return { ids, labels };
};

/**
 * Answers: what is learnt of a prompt, and what else was said, with how likely the untouched model found
 * both.
 */
const answers: Material = (() => {
  const examples = Array.from({ length: 24 }, (_, i): Example => {
    const [own, other] = [learntRow(i, "fox jumps"), learntRow(i, "dog runs away")];
    const parts = { ...own, otherIds: other.ids, otherLabels: other.labels, reference: [-12, -12] };
    return { length: other.ids.length, parts: { ...parts, desirable: [i % 2] }, unit: i };
  });
  return { kind: "examples", train: examples.slice(8), validation: examples.slice(0, 8) };
})();
const answering = { tokenizer: plain, model: modelOf(gpt2, gpt2Config(sizes)), material: answers };

/** Words of which "fox" is a thing. */
const tagged: Material = (() => {
  const words = ["quick", "fox", "brown", "jumps", "fox", "over", "lazy", "dog"];
  const examples = Array.from({ length: 40 }, (_, i): Example => {
    const some = Array.from({ length: 3 + (i % 4) }, (__, k) => words[(i * 5 + k * 3) % words.length]!);
    const pieces = some.map((word, k) => Array.from(forBert.encode(k === 0 ? word : ` ${word}`)));
    const flat = pieces.flatMap((ids, word) => ids.map((id, at) => ({ id, word, first: at === 0 })));
    const kept = flat.slice(0, 14);
    const tags = some.map((word) => Number(word === "fox"));
    const { cls, sep } = forBert.specials;
    return {
      length: kept.length + 2,
      unit: i,
      parts: {
        ids: [cls!, ...kept.map(({ id }) => id), sep!],
        words: [-1, ...kept.map(({ word }) => word), -1],
        labels: [-100, ...kept.map(({ word, first }) => (first ? tags[word]! : -100)), -100],
        tags,
      },
    };
  });
  return { kind: "examples", train: examples.slice(10), validation: examples.slice(0, 10) };
})();

export const taskCases: Readonly<Record<TaskName, TaskCase>> = {
  sft: answering,
  dpo: answering,
  kto: answering,
  "causal-lm": { tokenizer: plain, model: modelOf(gpt2, gpt2Config(sizes)), material: textOf(plain) },
  "masked-lm": {
    tokenizer: forBert,
    model: modelOf(bert, bertConfig(bertSizes)),
    material: textOf(forBert),
  },
  "replaced-token-detection": {
    tokenizer: forBert,
    model: modelOf(electra, electraConfig(bertSizes)),
    material: textOf(forBert),
  },
  embedding: {
    tokenizer: forBert,
    model: modelOf(bert, bertConfig({ ...bertSizes, architectures: ["BertModel"], num_hidden_layers: 2 })),
    material: textOf(forBert),
  },
  "sequence-classification": {
    tokenizer: forBert,
    model: modelOf(bert, bertConfig({ ...bertSizes, architectures: ["BertForSequenceClassification"] })),
    material: labelled,
  },
  "token-classification": {
    tokenizer: forBert,
    model: modelOf(
      bert,
      bertConfig({
        ...{ ...bertSizes, architectures: ["BertForTokenClassification"] },
        ...{ id2label: { 0: "O", 1: "B-FOX", 2: "I-FOX" }, label2id: { O: 0, "B-FOX": 1, "I-FOX": 2 } },
      }),
    ),
    material: tagged,
  },
  "seq2seq-lm": {
    tokenizer: forSpans,
    model: modelOf(
      marian,
      marian.parse({
        ...{ model_type: "marian", vocab_size: 400, d_model: 32, max_position_embeddings: 64 },
        ...{ encoder_layers: 1, decoder_layers: 1, encoder_attention_heads: 2, decoder_attention_heads: 2 },
        ...{ encoder_ffn_dim: 64, decoder_ffn_dim: 64, dropout: 0, activation_function: "swish" },
        ...{ pad_token_id: forSpans.specials.pad!, eos_token_id: forSpans.eos },
      }),
    ),
    material: { kind: "pairs", train: pairs.slice(4), validation: pairs.slice(0, 4) },
  },
};
