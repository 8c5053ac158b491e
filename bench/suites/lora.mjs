// LoRA beside full fine-tuning: a small GPT-2 learns plays and some reviews and is tuned on other reviews, MiniLM is tuned
// to tell which reviews praise (lora/classify.mjs), each with all weights, with adapters, and with adapters
// over 4 bits, by three seeds each; the learning rate of each way is the best of three on a seed of its own. Differences are of the
// losses on what is held out, nats; `kept` is what merging and rounding leave of the tuning's gain. Seeds draw batches and adapters:
// their spread is the noise that a difference is to be seen against.
// Arguments: --family gpt2|minilm (both), --one (thread), --base N updates of the base (4000), --out DIR (bases are kept).
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { tensor } from "../../dist/ir/tensor.js";
import { gpt2, gpt2Config } from "../../dist/models/decoders/gpt2.js";
import { countParams, initialize, tensorsOf, trainedTensors, withTensors } from "../../dist/nn/param.js";
import { nodeEngine } from "../../dist/node/runtime/engine.js";
import { adamw } from "../../dist/optim/index.js";
import { scheduleOf } from "../../dist/optim/schedule.js";
import { defaults } from "../../dist/recipes/config/options.js";
import { calibrationOf } from "../../dist/recipes/model/calibration.js";
import { gainOf } from "../../dist/recipes/train/gain.js";
import { methodOf } from "../../dist/recipes/train/method.js";
import { formsOf } from "../../dist/search/candidates/candidate.js";
import { tasks } from "../../dist/tasks/index.js";
import { trainBpe } from "../../dist/tokenizer/index.js";
import { train } from "../../dist/train/loop.js";
import { heldOutLoss } from "../../dist/train/validate.js";
import { classify } from "./lora/classify.mjs";

const VOCAB = 1024;
const [WIDTH, CONTEXT] = [128, 64];
const STEPS = 100;
const SEEDS = [1, 2, 3];
/** Rates that are tried, on a seed that nothing else is measured by. */
const RATES = { full: [3e-4, 1e-3, 3e-3], lora: [5e-3, 1.5e-2, 3e-2] };
const TRIED = 99;
const RANK = 2;

// A base knows its language: otherwise tuning with all weights goes on learning that, which adapters cannot.
const families = {
  gpt2: {
    task: tasks["causal-lm"],
    batch: 8,
    base: { steps: 4000, lrPeak: 3e-3, optimizer: adamw({ weightDecay: 0.01 }) },
    reads: ({ plays, reviews }) => [plays, reviews],
    before: ({ plays, reviews }) => plays.slice(0, 150_000) + reviews.slice(0, 150_000),
    tokenizer: (texts) => trainBpe(texts, { vocab: VOCAB }),
    shape: (vocab_size) => [
      gpt2,
      gpt2Config({ vocab_size, n_positions: CONTEXT, n_embd: WIDTH, n_layer: 2, n_head: 4 }),
    ],
  },
};

const texts = (data) => {
  const read = (name) => readFileSync(`${data}/${name}`, "utf8");
  const reviews = read("sst2.train.tsv").slice(0, 300_000).replaceAll(/\t\d/g, ".");
  return {
    plays: read("tinyshakespeare.txt").slice(0, 400_000),
    reviews,
    other: reviews.slice(150_000),
  };
};

const materialOf = (text, tokenizer) => {
  const cut = Math.floor(0.94 * text.length);
  const [start, end] = [tokenizer.encode(text.slice(0, cut)), tokenizer.encode(text.slice(cut))];
  return { kind: "text", train: start, validation: end };
};

const methods = {
  full: {},
  lora: { adapter: { ...defaults.adapter, rank: RANK } },
  qlora: { adapter: { ...defaults.adapter, rank: RANK, baseBits: 4 } },
};

const trained = (engine, { task, batch, model, tokenizer, material }, how) => {
  const { steps, lrPeak, seed, frozen = () => false, optimizer = adamw({ weightDecay: 0.01 }) } = how;
  const lesson = task.lesson(material, {
    ...{ model, tokenizer, batch, context: CONTEXT, seed, heldOutTokens: 8192 },
  });
  const schedule = scheduleOf({ kind: "cosine", lrPeak, lrMin: 0, warmup: 20, steps });
  return train(engine, model, lesson.source, {
    ...{ batch, context: CONTEXT, steps, seed, schedule, clipNorm: 1, frozen },
    ...{ optimizer, objective: lesson.objective },
  }).then(({ model: result }) => ({ result, lesson }));
};

/** A model tuned in one way. */
const tune = async (engine, subject, { name, seed, lrPeak }) => {
  const method = methodOf(subject.model, { ...defaults, ...methods[name], seed });
  const how = { steps: STEPS, lrPeak, seed, frozen: method.frozen };
  return { method, ...(await trained(engine, { ...subject, model: method.model }, how)) };
};

/** The rate that suits each way best, by the held-out loss of a seed of its own; few bits take that of all. */
const ratesOf = async (engine, subject, log) => {
  const best = {};
  for (const [name, rates] of Object.entries(RATES)) {
    const losses = [];
    for (const lrPeak of rates) {
      const { method, result, lesson } = await tune(engine, subject, { name, seed: TRIED, lrPeak });
      const { objective, heldOut } = lesson;
      losses.push((await heldOutLoss(engine, method.finish(result), heldOut.windows, objective)).loss);
    }
    best[name] = rates[losses.indexOf(Math.min(...losses))];
    log(`${name}: ${rates.map((rate, i) => `${losses[i].toFixed(4)} at ${rate}`).join(", ")}`);
  }
  return { ...best, qlora: best.lora };
};

/** Losses of one tuning, and what its merged forms keep. */
const tuned = async (engine, subject, given) => {
  const { seed } = given;
  const { method, result, lesson } = await tune(engine, subject, given);
  const merged = method.finish(result);
  const apart = method.adapter?.unmerged(result) ?? result;
  const { windows } = lesson.heldOut;
  // The forms that an export ships.
  const calibration = calibrationOf(subject.tokenizer);
  const forms = await formsOf(merged, { engine, seed, calibration, log: () => {} });
  const gain = await gainOf(engine, {
    ...{ base: subject.model, tuned: apart, forms, windows, objective: lesson.objective },
  });
  let count = 0;
  for (const [path, { data }] of trainedTensors(method.model.weights))
    if (!method.frozen(path)) count += data.length;
  const { loss } = await heldOutLoss(engine, merged, windows, lesson.objective);
  return { loss, before: gain.before, share: count / countParams(method.model.weights), merged: gain.merged };
};

const mean = (xs) => xs.reduce((a, b) => a + b, 0) / xs.length;
const spread = (xs) => Math.max(...xs) - Math.min(...xs);

const told = (args, name) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? undefined : args[at + 1];
};

/** A base model, made once where a folder keeps it. */
const keptBase = async (dir, name, fresh, make) => {
  if (dir === undefined) return make();
  const file = join(dir, `${name}.bin`);
  if (existsSync(file)) {
    const all = deserialize(readFileSync(file)).map(([path, shape, data]) => [
      path,
      tensor("float32", shape, data),
    ]);
    return { ...fresh, weights: withTensors(fresh.weights, new Map(all)) };
  }
  const made = await make();
  mkdirSync(dir, { recursive: true });
  const all = Array.from(tensorsOf(made.weights), ([path, { shape, data }]) => [
    path,
    shape,
    Float32Array.from(data),
  ]);
  writeFileSync(file, serialize(all));
  return made;
};

export default async function lora({ log, data = process.env.ANNEAL_DATA ?? "../shared/data", args }) {
  const engine = await nodeEngine(args.includes("--one") ? { threads: 1 } : {});
  const given = texts(data);
  const figures = {};
  const only = told(args, "family");
  const chosen = Object.entries(families).filter(([family]) => only === undefined || family === only);
  for (const [family, { task, batch, base: how, reads, before, tokenizer: learn, shape }] of chosen) {
    const tokenizer = learn(reads(given));
    const [arch, config] = shape(tokenizer.vocabSize, tokenizer);
    const fresh = { arch, config, weights: initialize(arch.params(config), 1), history: [] };
    const first = { task, batch, model: fresh, tokenizer, material: materialOf(before(given), tokenizer) };
    const steps = Number(told(args, "base") ?? how.steps);
    const model = await keptBase(told(args, "out"), `${family}-${steps}`, fresh, async () => {
      return (await trained(engine, first, { ...how, steps, seed: 1 })).result;
    });
    const subject = { task, batch, model, tokenizer, material: materialOf(given.other, tokenizer) };
    const rates = await ratesOf(engine, subject, (line) => log(`${family}, ${line}`));
    const found = { full: [], lora: [], qlora: [] };
    for (const seed of SEEDS) {
      for (const name of Object.keys(found))
        found[name].push(await tuned(engine, subject, { name, seed, lrPeak: rates[name] }));
      const line = Object.entries(found).map(([name, all]) => `${name} ${all.at(-1).loss.toFixed(4)}`);
      log(`${family}, seed ${seed}: ${found.full[0].before.toFixed(4)} before; ${line.join(", ")}`);
    }
    const losses = Object.fromEntries(
      Object.entries(found).map(([name, all]) => [name, all.map(({ loss }) => loss)]),
    );
    const kept = (name, dtype) => Math.min(...found[name].map(({ merged }) => merged[dtype].share));
    Object.assign(figures, {
      [`${family}LoraTrainedShare`]: found.lora[0].share,
      [`${family}LoraOverFull`]: mean(losses.lora) - mean(losses.full),
      [`${family}Int4OverFp32`]: mean(losses.qlora) - mean(losses.lora),
      [`${family}SeedSpread`]: Math.max(...Object.values(losses).map(spread)),
      [`${family}KeptQ8`]: Math.min(kept("lora", "q8"), kept("qlora", "q8")),
      [`${family}KeptQ4`]: Math.min(kept("lora", "q4"), kept("qlora", "q4")),
    });
  }
  if (only === undefined || only === "minilm") {
    const dir = told(args, "out") ?? mkdtempSync(join(tmpdir(), "anneal-lora-"));
    const threads = args.includes("--one") ? ["--threads", "1"] : [];
    const base = join(process.env.ANNEAL_REAL ?? "", "minilm");
    if (existsSync(base))
      Object.assign(figures, classify({ log, data, dir: join(dir, "minilm"), base, threads }));
    else log("no ANNEAL_REAL/minilm (bench/peers/real.py makes it): the encoder is left out");
  }
  return figures;
}
