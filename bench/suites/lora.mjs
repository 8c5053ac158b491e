// LoRA beside full fine-tuning, on checkpoints that people have: SmolLM2-135M (ANNEAL_REAL/smollm2.gguf) learns reviews, MiniLM is tuned
// to tell which reviews praise (lora/classify.mjs), each with all weights, with adapters, and with adapters over 4 bits, by three seeds
// each; the learning rate of each way is the best of three on a seed of its own. Differences are of the losses on what is held out, nats;
// `kept` is what merging and rounding leave of the tuning's gain. Seeds draw batches and adapters: their spread is the noise that a
// difference is to be seen against. (A decoder that is trained here for minutes is no measure: with all weights it goes on learning the
// language itself, 0.3 nats in 100 updates, which adapters of 1.5 % cannot follow.)
// Arguments: --family smollm2|minilm (both), --one (thread), --steps N of SmolLM2's updates (60), --out DIR of MiniLM's runs.
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countParams, trainedTensors } from "../../dist/nn/param.js";
import { openModel } from "../../dist/node/hub/hub.js";
import { nodeEngine } from "../../dist/node/runtime/engine.js";
import { adamw } from "../../dist/optim/index.js";
import { scheduleOf } from "../../dist/optim/schedule.js";
import { defaults } from "../../dist/recipes/config/options.js";
import { silent } from "../../dist/recipes/context/ui.js";
import { calibrationOf } from "../../dist/recipes/model/calibration.js";
import { gainOf } from "../../dist/recipes/train/gain.js";
import { methodFor } from "../../dist/recipes/train/method.js";
import { formsOf } from "../../dist/search/candidates/candidate.js";
import { tasks } from "../../dist/tasks/index.js";
import { train } from "../../dist/train/loop.js";
import { heldOutLoss } from "../../dist/train/validate.js";
import { classify } from "./lora/classify.mjs";

const [BATCH, CONTEXT, HELD] = [4, 64, 4096];
const SEEDS = [1, 2, 3];
/** Rates that are tried, on a seed that nothing else is measured by. */
const RATES = { full: [3e-5, 1e-4, 3e-4], lora: [3e-4, 1e-3, 3e-3] };
const TRIED = 99;
const RANK = 8;
const task = tasks["causal-lm"];

/** Reviews as running text: what is learnt from, and the last 15 %, which are held out. */
const materialOf = (data, tokenizer) => {
  const lines = readFileSync(`${data}/sst2.train.tsv`, "utf8").slice(0, 120_000);
  const text = lines.replaceAll(/\t\d/g, ".");
  const cut = Math.floor(0.85 * text.length);
  const [start, end] = [tokenizer.encode(text.slice(0, cut)), tokenizer.encode(text.slice(cut))];
  return { kind: "text", train: start, validation: end };
};

const methods = {
  full: {},
  lora: { adapter: { ...defaults.adapter, rank: RANK } },
  qlora: { adapter: { ...defaults.adapter, rank: RANK, baseBits: 4 } },
};

/** A model tuned in one way. */
const tune = async (engine, subject, { name, seed, lrPeak }) => {
  const { tokenizer, material, steps } = subject;
  const method = await methodFor(engine, subject, { ...defaults, ...methods[name], seed }, { ui: silent });
  const { model, frozen } = method;
  const shape = { model, tokenizer, batch: BATCH, context: CONTEXT, seed, heldOutTokens: HELD };
  const lesson = task.lesson(material, shape);
  const schedule = scheduleOf({ kind: "cosine", lrPeak, lrMin: 0, warmup: steps / 5, steps });
  const { model: result } = await train(engine, model, lesson.source, {
    ...{ batch: BATCH, context: CONTEXT, steps, seed, schedule, clipNorm: 1, frozen },
    ...{ optimizer: adamw({ weightDecay: 0.01 }), objective: lesson.objective },
  });
  return { method, lesson, result };
};

const lossOf = async (engine, model, { objective, heldOut }) =>
  (await heldOutLoss(engine, model, heldOut.windows, objective)).loss;

/** The rate that suits each way best, by the held-out loss of a seed of its own; few bits take that of all. */
const ratesOf = async (engine, subject, log) => {
  const best = {};
  for (const [name, rates] of Object.entries(RATES)) {
    const losses = [];
    for (const lrPeak of rates) {
      const { method, result, lesson } = await tune(engine, subject, { name, seed: TRIED, lrPeak });
      losses.push(await lossOf(engine, method.finish(result), lesson));
    }
    best[name] = rates[losses.indexOf(Math.min(...losses))];
    log(`smollm2, ${name}: ${rates.map((rate, i) => `${losses[i].toFixed(4)} at ${rate}`).join(", ")}`);
  }
  return { ...best, qlora: best.lora };
};

/** What the forms that an export ships keep of a tuning. */
const keptOf = async (engine, subject, { seed, method, lesson, result }) => {
  const merged = method.finish(result);
  const apart = method.adapter?.unmerged(result) ?? result;
  const calibration = calibrationOf(subject.tokenizer);
  const forms = await formsOf(merged, { engine, seed, calibration, log: () => {} });
  const { windows } = lesson.heldOut;
  return gainOf(engine, { base: subject.model, tuned: apart, forms, windows, objective: lesson.objective });
};

const mean = (xs) => xs.reduce((a, b) => a + b, 0) / xs.length;
const spread = (xs) => Math.max(...xs) - Math.min(...xs);

const told = (args, name) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? undefined : args[at + 1];
};

/** The decoder's half. */
const language = async ({ log, data, base, args }) => {
  const engine = await nodeEngine(args.includes("--one") ? { threads: 1 } : {});
  const { model, tokenizer } = await openModel(base, {});
  const steps = Number(told(args, "steps") ?? 60);
  const subject = { model, tokenizer, steps, material: materialOf(data, tokenizer) };
  const rates = await ratesOf(engine, subject, log);
  const losses = { full: [], lora: [], qlora: [] };
  const gains = {};
  let share = 0;
  for (const seed of SEEDS) {
    for (const [name, all] of Object.entries(losses)) {
      const tuned = await tune(engine, subject, { name, seed, lrPeak: rates[name] });
      all.push(await lossOf(engine, tuned.method.finish(tuned.result), tuned.lesson));
      if (name === "full" || seed !== SEEDS[0]) continue;
      gains[name] = await keptOf(engine, subject, { seed, ...tuned });
      const { frozen, model: split } = tuned.method;
      const trained = [...trainedTensors(split.weights)].filter(([path]) => !frozen(path));
      share =
        trained.reduce((sum, [, { data: values }]) => sum + values.length, 0) / countParams(split.weights);
    }
    const line = Object.entries(losses).map(([name, all]) => `${name} ${all.at(-1).toFixed(4)}`);
    log(`smollm2, seed ${seed}: ${gains.lora.before.toFixed(4)} before; ${line.join(", ")}`);
  }
  const kept = (dtype) => Math.min(...Object.values(gains).map(({ merged }) => merged[dtype].share));
  return {
    ...{ smollm2LoraTrainedShare: share, smollm2Before: gains.lora.before, smollm2Full: mean(losses.full) },
    smollm2LoraOverFull: mean(losses.lora) - mean(losses.full),
    smollm2Int4OverFp32: mean(losses.qlora) - mean(losses.lora),
    smollm2SeedSpread: Math.max(...Object.values(losses).map(spread)),
    ...{ smollm2KeptQ8: kept("q8"), smollm2KeptQ4: kept("q4") },
  };
};

export default async function lora({ log, data = process.env.ANNEAL_DATA ?? "../shared/data", args }) {
  const only = told(args, "family");
  const real = process.env.ANNEAL_REAL ?? "";
  const found = (family, path) => {
    if (only !== undefined && only !== family) return false;
    if (existsSync(path)) return true;
    log(`no ${path} (bench/peers/real.py makes it): left out`);
    return false;
  };
  const figures = {};
  const [decoder, encoder] = [join(real, "smollm2.gguf"), join(real, "minilm")];
  if (found("smollm2", decoder)) Object.assign(figures, await language({ log, data, base: decoder, args }));
  if (found("minilm", encoder)) {
    const dir = told(args, "out") ?? mkdtempSync(join(tmpdir(), "anneal-lora-"));
    const threads = args.includes("--one") ? ["--threads", "1"] : [];
    Object.assign(figures, classify({ log, data, dir: join(dir, "minilm"), base: encoder, threads }));
  }
  return figures;
}
