// Sentiment of SST-2 from nothing: a small BERT begins to fill in masks in the training sentences (6,920 of them, no phrases) and the
// other texts at hand, which gives it a tokenizer and little more (1,000 updates were no better), its embeddings begin with a linear
// model of the labelled sentences, and it is fine-tuned on them and on 15 times as many texts that are made up of their words and
// labelled by the linear model, by the recipes behind `anneal train` and `anneal finetune`. No
// checkpoint and no text from elsewhere. The development sentences are measured once, after the last update: nothing is chosen by
// them, but on the training sentences, a fifth of which was held out.
// sst2Accuracy is the mean over the seeds, sst2MinutesPerSeed the time of pre-training and fine-tuning.
// --peer: fine-tuning on the sentences alone, here and in PyTorch (transformers' BertForSequenceClassification), from the same weights and head,
// on the same batches, with the same AdamW, schedule, dropout rates and averaging of weights, in turns of
// a few steps: peerAccuracyDelta is anneal's accuracy less PyTorch's, tokensPerSecOverTorch the median over the turns.
// PyTorch and transformers are those of the Python that ANNEAL_PYTHON names (python3 unless told).
// Arguments: --seeds N (3), --threads N (all cores), --family NAME (bert), --layers N (1), --vocab N (16000), --pretrain-steps N (20),
// --epochs N (1), --made N (15: texts made up of each sentence), --linear no (embeddings begin as they are), --out DIR (kept, and gone on with when run again), --peer.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  defaults,
  evaluateFolder,
  finetune,
  finetuneDefaults,
  silent,
  trainModel,
} from "../../dist/recipes/index.js";
import { jsonLines, linesOf, reviews } from "../texts.mjs";
import { race } from "./finetune/race.mjs";

/** What a seed's model is, and how it learns. */
const recipe = {
  model: { n_head: 4, n_embd: 64, n_positions: 64, dropout: 0 },
  pretrain: {
    ...{ batch: 32, optimizer: "adamw", weightDecay: 0.01 },
    ...{ lrPeak: 2e-3, lrMin: 0, schedule: "linear" },
  },
  finetune: { batch: 32, lrPeak: 1e-3, weightDecay: 0.01, ema: 0.998 },
  dropout: 0,
};

/** What is tuned beside PyTorch: the labelled sentences alone, hidden and dropped as they need it. */
const besidePeer = (options) => ({
  ...options,
  model: { ...options.model, dropout: 0.3 },
  train: { ...options.train, epochs: 2 },
  task: { ...options.task, linearTeacher: 0, tokenDropout: 0.15 },
});

/** Measured at the end alone. */
const NEVER = 2 ** 31;

const argument = (args, name, usual) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? usual : args[at + 1];
};

/** Writes what the recipes read: running text, labelled sentences, those that are measured. */
const prepare = (dir) => {
  const train = reviews("sst2.train.tsv");
  // As the reviews are written: lower case.
  const more = linesOf("wikitext2.valid.txt").map((line) => line.trim().toLowerCase());
  const texts = [...train.map(({ text }) => text), ...more.filter((line) => !line.startsWith("="))];
  const files = {
    text: join(dir, "text.jsonl"),
    train: join(dir, "train.jsonl"),
    dev: join(dir, "dev.jsonl"),
  };
  writeFileSync(files.text, jsonLines(texts.map((text) => ({ text }))));
  writeFileSync(files.train, jsonLines(train));
  writeFileSync(files.dev, jsonLines(reviews("sst2.dev.tsv")));
  return files;
};

/** Text as it is: no sentence is too short to learn from. */
const asItIs = { rules: ["none"], near: "off", lines: "off" };

const pretrainOptions = ({ files, out, seed, threads, steps, family, vocab, layers }) => ({
  ...defaults,
  ...{ out, seed, threads },
  data: { ...defaults.data, ...asItIs, paths: [files.text], validationShare: 0.02 },
  tokenizer: { kind: "bpe", vocab },
  model: { ...defaults.model, ...recipe.model, family, n_layer: layers },
  train: {
    ...{ ...defaults.train, ...recipe.pretrain, steps, warmup: Math.ceil(steps / 20) },
    ...{ evalEvery: NEVER, checkpointEvery: 500 },
  },
});

const finetuneOptions = ({ files, out, seed, threads, epochs, linearStart, linearTeacher }) => ({
  ...finetuneDefaults,
  ...{ out, seed, threads },
  data: { ...finetuneDefaults.data, paths: [files.train], validation: [files.dev] },
  model: { ...finetuneDefaults.model, dropout: recipe.dropout },
  train: { ...finetuneDefaults.train, ...recipe.finetune, epochs, evalEvery: NEVER, checkpointEvery: 500 },
  task: { ...finetuneDefaults.task, linearStart, linearTeacher },
});

/** Runs a recipe in `out` unless it has been, and goes on where it was stopped; milliseconds over all processes. */
const stage = async (out, run, log) => {
  const clock = join(out, "elapsed.json");
  const before = existsSync(clock) ? JSON.parse(readFileSync(clock, "utf8")) : 0;
  if (existsSync(join(out, "model/config.json"))) return before;
  mkdirSync(out, { recursive: true });
  const start = performance.now();
  const elapsed = () => before + performance.now() - start;
  let told = 0;
  const task = (name, total) => ({
    update: (done, fields) => {
      if (elapsed() - told < 15_000) return;
      told = elapsed();
      writeFileSync(clock, JSON.stringify(told));
      log(`${out}: ${name} ${done} of ${total} ${JSON.stringify(fields ?? {})}`);
    },
    done: (line) => log(`${out}: ${line}`),
  });
  const resume = existsSync(join(out, "run/checkpoints/latest"));
  await run({ ui: { ...silent, task }, command: "bench finetune", resume });
  writeFileSync(clock, JSON.stringify(elapsed()));
  return elapsed();
};

/** One seed: pre-training, fine-tuning, the development sentences. */
const learn = async (given, log) => {
  const { files, dir, seed, threads } = given;
  const [pre, tuned] = ["pretrained", "tuned"].map((name) => join(dir, `seed-${seed}`, name));
  const first = await stage(pre, (hooks) => trainModel(pretrainOptions({ ...given, out: pre }), hooks), log);
  const options = finetuneOptions({ ...given, out: tuned });
  const second = await stage(tuned, (hooks) => finetune(join(pre, "model"), options, hooks), log);
  const asked = { ...defaults, seed, threads, data: { ...defaults.data, paths: [files.dev] } };
  const { figures } = await evaluateFolder(join(tuned, "model"), {}, asked, { ui: silent, command: "" });
  const { value, low, high } = figures.accuracy;
  const minutes = (first + second) / 60_000;
  log(
    `seed ${seed}: accuracy ${value.toFixed(4)} (${low.toFixed(4)} to ${high.toFixed(4)}), ${minutes.toFixed(1)} minutes`,
  );
  return { accuracy: value, minutes, pretrained: join(pre, "model"), options };
};

const mean = (xs) => xs.reduce((a, b) => a + b, 0) / xs.length;

export default async function finetuneBench({ log, args }) {
  const number = (name, usual) => Number(argument(args, name, usual));
  const [seeds, threads] = [number("seeds", 3), number("threads", 0)];
  const how = {
    ...{ threads, steps: number("pretrain-steps", 20), epochs: number("epochs", 1) },
    ...{
      family: argument(args, "family", "bert"),
      layers: number("layers", 1),
      vocab: number("vocab", 16_000),
    },
    linearStart: argument(args, "linear", "yes") === "yes",
    linearTeacher: number("made", 15),
  };
  const kept = argument(args, "out");
  const dir = kept ?? mkdtempSync(join(tmpdir(), "anneal-sst2-"));
  mkdirSync(dir, { recursive: true });
  try {
    const files = prepare(dir);
    const runs = [];
    for (let seed = 1; seed <= seeds; seed++) runs.push(await learn({ ...how, files, dir, seed }, log));
    const accuracies = runs.map(({ accuracy }) => accuracy);
    const plain = runs.map((run) => ({ ...run, options: besidePeer(run.options) }));
    const peer = args.includes("--peer") ? await race(plain, { dir, threads, log }) : {};
    return {
      sst2Accuracy: mean(accuracies),
      sst2MinutesPerSeed: mean(runs.map(({ minutes }) => minutes)),
      accuracies,
      processorMinutes: process.cpuUsage().user / 6e7,
      ...peer,
    };
  } finally {
    if (kept === undefined) rmSync(dir, { recursive: true, force: true });
  }
}
