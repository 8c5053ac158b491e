/**
 * A translator from nothing: a small Marian learns line-aligned files ("train.en" and "train.de"), translates
 * others. Usage: translation.ts TRAIN VALIDATION SOURCE-LANGUAGE TARGET-LANGUAGE FOLDER STEPS LAYERS
 */
import { readFileSync } from "node:fs";
import { bleu } from "anneal/metrics";
import { defaults, silent, textModel, trainModel } from "anneal/recipes";

const [train = "train", held = "val", sourceLang = "en", targetLang = "de", ...rest] = process.argv.slice(2);
const [out = "anneal-out/translator", steps = "4000", layers = "3"] = rest;
const files = (stem: string) => [`${stem}.${sourceLang}`, `${stem}.${targetLang}`];

const count = Number(steps);
const options = {
  ...defaults,
  out,
  data: { ...defaults.data, paths: files(train), validation: files(held) },
  task: { ...defaults.task, sourceLang, targetLang, labelSmoothing: 0.1 },
  tokenizer: { ...defaults.tokenizer, vocab: 5000 },
  model: {
    ...defaults.model,
    family: "marian" as const,
    n_layer: Number(layers),
    n_positions: 64,
    dropout: 0.1,
  },
  train: { ...defaults.train, steps: count, batch: 64, lrMin: 0, warmup: Math.ceil(count / 20) },
};
const ui = { ...silent, line: (text: string) => console.log(text) };
await trainModel(options, { ui, command: "translation.ts" });

const [sources, references] = files(held).map((file) => readFileSync(file, "utf8").trimEnd().split("\n"));
const translator = await textModel(`${out}/model`);
const said = await translator.runAll!(sources!, { beams: 5 });
await translator.dispose();
for (let i = 0; i < Math.min(10, said.length); i++) console.log(`${sources![i]}\n  ${said[i]}`);
const { value, low, high } = bleu().measure(said, references!);
console.log(`BLEU ${value.toFixed(1)} [${low.toFixed(1)}, ${high.toFixed(1)}]`);
