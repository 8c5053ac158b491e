/**
 * A classifier from nothing: a small BERT learns to fill in masks in texts, and then what labelled ones say.
 * Usage: sentiment.ts LABELLED TEST TEXTS FOLDER STEPS EPOCHS
 */
import { defaults, evaluateFolder, finetune, finetuneDefaults, silent, trainModel } from "anneal/recipes";

const [
  labelled = "reviews.tsv",
  test = "test.tsv",
  texts = "texts.txt",
  out = "anneal-out/sentiment",
  steps = "1000",
  epochs = "7",
] = process.argv.slice(2);
const hooks = { ui: { ...silent, line: (text: string) => console.log(text) }, command: "sentiment.ts" };

// Short texts are kept as they are: the rules are made for pages of the web.
const asTheyAre = { rules: ["none"], near: "off", lines: "off" } as const;
const updates = Number(steps);
const body = await trainModel(
  {
    ...defaults,
    out: `${out}/body`,
    data: { ...defaults.data, ...asTheyAre, paths: [texts] },
    tokenizer: { kind: "bpe", vocab: 8000 },
    model: { ...defaults.model, family: "bert", n_layer: 2, n_embd: 64, n_positions: 64 },
    train: {
      ...{ ...defaults.train, steps: updates, batch: 32, warmup: Math.ceil(updates / 20) },
      ...{ optimizer: "adamw", lrPeak: 2e-3, lrMin: 0, schedule: "linear", weightDecay: 0.01 },
    },
  },
  hooks,
);

// Hidden tokens, dropout and averaged weights keep a model of few texts from learning them by heart.
const tuned = await finetune(
  body?.path ?? "",
  {
    ...finetuneDefaults,
    out: `${out}/classifier`,
    data: { ...finetuneDefaults.data, paths: [labelled] },
    model: { ...finetuneDefaults.model, dropout: 0.3 },
    train: { ...finetuneDefaults.train, epochs: Number(epochs), batch: 32, lrPeak: 1e-3, ema: 0.998 },
    task: { ...finetuneDefaults.task, tokenDropout: 0.15 },
  },
  hooks,
);

const asked = { ...defaults, data: { ...defaults.data, paths: [test] } };
const { figures } = await evaluateFolder(tuned?.path ?? "", {}, asked, hooks);
const { value, low, high } = figures.accuracy!;
console.log(`accuracy ${value.toFixed(3)} (95 %: ${low.toFixed(3)} to ${high.toFixed(3)})`);
