// The lessons that lessons.py trains on: what each is made of, and its first batches. Run after a build, see there.
import { architectures } from "../../dist/models/index.js";
import { tasks } from "../../dist/tasks/index.js";
import { marked, marks } from "../../dist/tokenizer/bpe/marked.js";
import { trainBpe } from "../../dist/tokenizer/index.js";

const STEPS = 10;
const words = "the quick brown fox jumps over a lazy dog and unhappily runs away".split(" ");
const text = Array.from({ length: 500 }, (_, i) => words[(i * i + 5 * i + (i >> 4)) % words.length]).join(" ");

const bert = {
  model_type: "bert", architectures: ["BertForMaskedLM"], vocab_size: 290, hidden_size: 32, num_hidden_layers: 2,
  num_attention_heads: 2, intermediate_size: 48, max_position_embeddings: 24, type_vocab_size: 2, pad_token_id: 1,
  hidden_dropout_prob: 0, attention_probs_dropout_prob: 0,
};
const t5 = {
  model_type: "t5", vocab_size: 390, d_model: 32, d_kv: 8, d_ff: 48, num_layers: 2, num_decoder_layers: 2,
  num_heads: 2, feed_forward_proj: "gated-gelu", dropout_rate: 0, relative_attention_num_buckets: 8,
  relative_attention_max_distance: 16, tie_word_embeddings: true, pad_token_id: 1, eos_token_id: 0,
  decoder_start_token_id: 1,
};
const options = { batch: 4, context: 24, seed: 3, heldOutTokens: 400 };
const masked = { task: "masked-lm", marks: "bert", config: bert, options, accumulate: 1 };
const cases = {
  "masked-lm": masked,
  "masked-lm, whole words, two micro-batches": {
    ...masked, options: { ...options, wholeWords: true }, accumulate: 2,
  },
  "seq2seq-lm, spans": { task: "seq2seq-lm", marks: "t5", config: t5, options, accumulate: 1 },
};

const batchesOf = async ({ task, marks: name, config, options, accumulate }) => {
  const { [name]: given } = marks;
  const specialTokens = given.tokens;
  const tokenizer = marked(trainBpe([text], { vocab: config.vocab_size, specialTokens }), given);
  const arch = architectures[config.model_type];
  const tokens = tokenizer.encode(text);
  const material = { kind: "text", train: tokens, validation: tokens };
  const model = { arch, config: arch.parse(config), weights: {}, history: [] };
  const { source } = tasks[task].lesson(material, { ...options, model, tokenizer });
  const feeds = await Promise.all(Array.from({ length: STEPS * accumulate }, (_, i) => source(i)));
  return feeds.map((batch) =>
    Object.fromEntries(Object.entries(batch).map(([input, { data }]) => [input, Array.from(data)])),
  );
};

for (const given of Object.values(cases)) given.batches = await batchesOf(given);
process.stdout.write(JSON.stringify({ text, cases }));
