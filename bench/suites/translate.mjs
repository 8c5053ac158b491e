// English to German from nothing: a small Marian learns the 29,000 pairs of Multi30k (../shared/data) as `anneal train
// --family marian` does, and translates the validation set by beams of five: sacreBLEU of what is cased and detokenized.
// A run that was killed goes on from its checkpoint when it is started again; the minutes are those of all its processes,
// from the first line that is read to the last translation.
// Arguments: --out FOLDER (bench/results/translate), --fresh (forgets an earlier run), --threads N (2), --beams N (5),
// and any of the recipe: --family --vocab --width --layers --heads --dropout --batch --steps --optimizer --lr --warmup
// --schedule --decay --smoothing --average-last --eval-every --seed.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { bleu, chrf } from "../../dist/metrics/index.js";
import { defaults } from "../../dist/recipes/config/options.js";
import { textModel } from "../../dist/recipes/generate/generate.js";
import { trainModel } from "../../dist/recipes/train/train.js";

const data = process.env.ANNEAL_DATA ?? fileURLToPath(new URL("../../../shared/data/", import.meta.url));
const file = (part, language) => join(data, `multi30k.${part}.${language}.gz`);
const linesOf = (path) => gunzipSync(readFileSync(path)).toString().trimEnd().split("\n");

const option = (args, name, usual) => {
  const at = args.indexOf(`--${name}`);
  if (at < 0) return usual;
  return typeof usual === "number" ? Number(args[at + 1]) : args[at + 1];
};

/** The run as the product's own recipe has it. */
const recipe = (args, out) => {
  const of = (name, usual) => option(args, name, usual);
  const steps = of("steps", 4000);
  return {
    ...defaults,
    out,
    seed: of("seed", 1),
    threads: of("threads", 2),
    data: {
      ...defaults.data,
      paths: [file("train", "en"), file("train", "de")],
      validation: [file("val", "en"), file("val", "de")],
    },
    task: { ...defaults.task, sourceLang: "en", targetLang: "de", labelSmoothing: of("smoothing", 0.1) },
    tokenizer: { kind: "bpe", vocab: of("vocab", 5000) },
    model: {
      ...defaults.model,
      ...{ family: of("family", "marian"), n_layer: of("layers", 3), n_head: of("heads", 4) },
      ...{ n_embd: of("width", 128), n_positions: 64, dropout: of("dropout", 0.1) },
    },
    train: {
      ...defaults.train,
      ...{
        steps,
        batch: of("batch", 64),
        optimizer: of("optimizer", "muon"),
        lrPeak: of("lr", 4e-3),
        lrMin: 0,
      },
      ...{
        warmup: of("warmup", Math.ceil(steps / 20)),
        schedule: of("schedule", "cosine"),
        weightDecay: of("decay", 0.01),
        averageLast: of("average-last", 0),
      },
      ...{ evalEvery: of("eval-every", 250), checkpointEvery: of("eval-every", 250), clipNorm: 1 },
    },
  };
};

const quiet = {
  update() {},
  done() {},
};

/** What the recipe says, a line now and then. */
const uiOf = (log) => ({
  stage: log,
  line: log,
  warn: log,
  task: (name, total) => {
    if (name !== "training") return { ...quiet, done: log };
    return {
      update: (step, said) =>
        step % 100 === 0 &&
        log(
          `step ${step} of ${total} ${Object.entries(said ?? {})
            .map((e) => e.join(" "))
            .join(", ")}`,
        ),
      done: log,
    };
  },
});

/** Minutes of all processes of a run, by the clock and of the processors: told every few seconds, so that a kill loses few. */
const ledger = (path) => {
  const known = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : { minutes: 0, cpuMinutes: 0 };
  const start = performance.now();
  const now = () => {
    const { user, system } = process.cpuUsage();
    return {
      minutes: known.minutes + (performance.now() - start) / 60_000,
      cpuMinutes: known.cpuMinutes + (user + system) / 60e6,
    };
  };
  const save = () => writeFileSync(path, JSON.stringify(now()));
  const timer = setInterval(save, 5000).unref();
  return {
    end() {
      clearInterval(timer);
      save();
      return now();
    },
  };
};

export default async function translate({ log, args }) {
  const out = option(args, "out", fileURLToPath(new URL("../results/translate", import.meta.url)));
  if (args.includes("--fresh")) rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const time = ledger(join(out, "usage.json"));
  const model = join(out, "model");
  const options = recipe(args, out);
  if (!existsSync(join(model, "config.json"))) {
    const resume = existsSync(join(out, "run", "checkpoints"));
    await trainModel(options, { ui: uiOf(log), resume, command: `bench translate ${args.join(" ")}`.trim() });
  }
  const [sources, references] = ["en", "de"].map((language) => linesOf(file("val", language)));
  const beams = option(args, "beams", 5);
  const start = performance.now();
  const translator = await textModel(model, { threads: options.threads, dtype: "fp32" });
  const said = await translator.runAll(sources, {
    ...{ beams, maxTokens: 63 },
    onDone: (done) => log(`translated ${done} of ${sources.length}`),
  });
  await translator.dispose();
  const translatingSec = (performance.now() - start) / 1000;
  const { minutes, cpuMinutes } = time.end();
  for (let i = 0; i < 10; i++) log(`\n${sources[i]}\n  ${said[i]}\n  (${references[i]})`);
  const [quality, letters] = [bleu().measure(said, references), chrf().measure(said, references)];
  return {
    ...{ bleu: quality.value, bleuLow: quality.low, bleuHigh: quality.high, chrf: letters.value },
    ...{ translateMinutes: minutes, translateCpuMinutes: cpuMinutes, translatingSec },
  };
}
