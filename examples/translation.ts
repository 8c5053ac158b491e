/**
 * A translator from nothing: a small Marian learns line-aligned files ("train.en" and "train.de"), and translates lines
 * of its own that it has not seen. Usage: translation.ts SOURCE TARGET FOLDER STEPS
 */
import { extname } from "node:path";
import { bleu } from "anneal/metrics";
import { defaults, evaluateFolder, silent, textModel, trainModel } from "anneal/recipes";

const [source = "train.en", target = "train.de", out = "anneal-out/translator", steps = "6000"] =
  process.argv.slice(2);
const language = (file: string) => extname(file.replace(/\.gz$/, "")).slice(1);

const ui = { ...silent, line: (text: string) => console.log(text) };
const hooks = { ui, command: "translation.ts" };
const languages = { sourceLang: language(source), targetLang: language(target) };
const options = {
  ...defaults,
  out,
  data: { ...defaults.data, paths: [source, target] },
  task: { ...defaults.task, ...languages, labelSmoothing: 0.1 },
  tokenizer: { ...defaults.tokenizer, vocab: 6000 },
  model: { ...defaults.model, family: "marian" as const, n_positions: 64, dropout: 0.2 },
  train: { ...defaults.train, steps: Number(steps), batch: 64, warmup: Math.ceil(Number(steps) / 10) },
};
await trainModel(options, hooks);

const { figures } = await evaluateFolder(`${out}/model`, { beams: 5 }, options, hooks);
const { value, low, high } = figures.bleu!;
console.log(`${bleu().name}: ${value.toFixed(1)} [${low.toFixed(1)}, ${high.toFixed(1)}] on pairs held out`);

const translator = await textModel(`${out}/model`);
const lines = ["Two men are standing at the stove.", "A dog runs over the grass."];
for (const said of await translator.runAll!(lines, { beams: 5 })) console.log(said);
await translator.dispose();
