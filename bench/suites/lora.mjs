// LoRA beside full fine-tuning: a small GPT-2 and a small BERT learn plays and some reviews, and are tuned on other reviews
// with all weights, with adapters, and with adapters over 4 bits, by three seeds each. Differences are of the losses on held-out text,
// nats; `kept` is what merging and rounding leave of the tuning's gain. Seeds draw batches, masks and adapters: their
// spread is the noise that a difference is to be seen against.
// Arguments: --family gpt2|bert (both), --one (thread).
import { readFileSync } from "node:fs";
import { gpt2, gpt2Config } from "../../dist/models/decoders/gpt2.js";
import { bert, bertConfig } from "../../dist/models/encoders/bert.js";
import { countParams, initialize, trainedTensors } from "../../dist/nn/param.js";
import { nodeEngine } from "../../dist/node/runtime/engine.js";
import { adamw } from "../../dist/optim/index.js";
import { scheduleOf } from "../../dist/optim/schedule.js";
import { defaults } from "../../dist/recipes/config/options.js";
import { calibrationOf } from "../../dist/recipes/model/calibration.js";
import { gainOf } from "../../dist/recipes/train/gain.js";
import { methodOf } from "../../dist/recipes/train/method.js";
import { formsOf } from "../../dist/search/candidates/candidate.js";
import { tasks } from "../../dist/tasks/index.js";
import { marked, marks } from "../../dist/tokenizer/bpe/marked.js";
import { trainBpe } from "../../dist/tokenizer/index.js";
import { train } from "../../dist/train/loop.js";
import { heldOutLoss } from "../../dist/train/validate.js";

const VOCAB = 1024;
const [WIDTH, CONTEXT, BATCH] = [128, 64, 8];
// The base knows the language: otherwise tuning with all weights goes on learning that, which adapters cannot.
const [BASE_STEPS, STEPS] = [4000, 100];
const SEEDS = [1, 2, 3];
const RATES = { full: 3e-4, lora: 1.5e-2, qlora: 1.5e-2 };
const RANK = 2;

const families = {
  gpt2: {
    task: tasks["causal-lm"],
    tokenizer: (texts) => trainBpe(texts, { vocab: VOCAB }),
    shape: (vocab_size) => [
      gpt2,
      gpt2Config({ vocab_size, n_positions: CONTEXT, n_embd: WIDTH, n_layer: 2, n_head: 4 }),
    ],
  },
  bert: {
    task: tasks["masked-lm"],
    tokenizer: (texts) =>
      marked(trainBpe(texts, { vocab: VOCAB, specialTokens: marks.bert.tokens }), marks.bert),
    shape: (vocab_size, { specials }) => [
      bert,
      bertConfig({
        ...{ vocab_size, hidden_size: WIDTH, num_hidden_layers: 2, num_attention_heads: 4 },
        ...{ intermediate_size: 4 * WIDTH, max_position_embeddings: CONTEXT, pad_token_id: specials.pad },
        // As `train` begins narrow encoders: at 0.02 masks stay at the frequencies of tokens for long.
        initializer_range: 0.049,
      }),
    ],
  },
};

const texts = (data) => {
  const plays = readFileSync(`${data}/tinyshakespeare.txt`, "utf8").slice(0, 400_000);
  const reviews = readFileSync(`${data}/sst2.train.tsv`, "utf8").slice(0, 300_000).replaceAll(/\t\d/g, ".");
  return {
    plays,
    reviews,
    seen: plays.slice(0, 150_000) + reviews.slice(0, 150_000),
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

const trained = (engine, { task, model, tokenizer, material }, { steps, lrPeak, seed, frozen }) => {
  const lesson = task.lesson(material, {
    ...{ model, tokenizer, batch: BATCH, context: CONTEXT, seed, heldOutTokens: 8192 },
  });
  const schedule = scheduleOf({ kind: "cosine", lrPeak, lrMin: 0, warmup: 20, steps });
  return train(engine, model, lesson.source, {
    ...{ batch: BATCH, context: CONTEXT, steps, seed, schedule, clipNorm: 1, frozen },
    ...{ optimizer: adamw({ weightDecay: 0.01 }), objective: lesson.objective },
  }).then(({ model: result }) => ({ result, lesson }));
};

/** Losses of one tuning, and what its merged forms keep. */
const tuned = async (engine, subject, name, seed) => {
  const method = methodOf(subject.model, { ...defaults, ...methods[name], seed });
  const how = { steps: STEPS, lrPeak: RATES[name], seed, frozen: method.frozen };
  const { result, lesson } = await trained(engine, { ...subject, model: method.model }, how);
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

export default async function lora({ log, data = process.env.ANNEAL_DATA ?? "../shared/data", args }) {
  const engine = await nodeEngine(args.includes("--one") ? { threads: 1 } : {});
  const { plays, reviews, seen, other } = texts(data);
  const figures = {};
  const at = args.indexOf("--family");
  const chosen = Object.entries(families).filter(([family]) => at < 0 || family === args[at + 1]);
  for (const [family, { task, tokenizer: learn, shape }] of chosen) {
    const tokenizer = learn([plays, reviews]);
    const [arch, config] = shape(tokenizer.vocabSize, tokenizer);
    const fresh = { arch, config, weights: initialize(arch.params(config), 1), history: [] };
    const first = { task, model: fresh, tokenizer, material: materialOf(seen, tokenizer) };
    const base = await trained(engine, first, {
      steps: BASE_STEPS,
      lrPeak: 3e-3,
      seed: 1,
      frozen: () => false,
    });
    const subject = { task, model: base.result, tokenizer, material: materialOf(other, tokenizer) };
    const found = { full: [], lora: [], qlora: [] };
    for (const seed of SEEDS) {
      for (const name of Object.keys(found)) found[name].push(await tuned(engine, subject, name, seed));
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
  return figures;
}
