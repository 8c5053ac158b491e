// Small models trained here on real text, which benchmarks of compression take apart, and what they are measured by: wikitext2.valid
// and tinyshakespeare, a vocabulary of 2,048 tokens, windows of 128. Kept in ~/.cache/anneal/bench, or the folder that ANNEAL_BENCH_CACHE names.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { matrixOf } from "../../../dist/compress/matrix.js";
import { denseMatrices } from "../../../dist/compress/probe.js";
import { dequantized, laidLike } from "../../../dist/compress/rounding/codes.js";
import { decodeSafetensors, encodeSafetensors } from "../../../dist/formats/safetensors/safetensors.js";
import { tensor } from "../../../dist/ir/tensor.js";
import { gpt2, gpt2Config } from "../../../dist/models/decoders/gpt2.js";
import { bert, bertConfig } from "../../../dist/models/encoders/bert.js";
import { initialize, tensorsOf, withTensors } from "../../../dist/nn/param.js";
import { openModel } from "../../../dist/node/hub/hub.js";
import { adamw, muon } from "../../../dist/optim/index.js";
import { cosineSchedule } from "../../../dist/optim/schedule.js";
import { taskOf } from "../../../dist/tasks/index.js";
import { marked, marks } from "../../../dist/tokenizer/bpe/marked.js";
import { trainBpe } from "../../../dist/tokenizer/index.js";
import { train } from "../../../dist/train/loop.js";
import { rng } from "../../../dist/util/rng.js";
import { dataFile } from "../../texts.mjs";

/** Rows of a batch, tokens of a window, tokens of a vocabulary. */
export const [BATCH, CONTEXT, VOCAB] = [8, 128, 2048];
export const mean = (xs) => xs.reduce((a, b) => a + b, 0) / xs.length;

/** Nine tenths of both texts to learn from, and the rest. */
const texts = () => {
  const parts = ["wikitext2.valid.txt", "tinyshakespeare.txt"].map((name) => {
    const text = readFileSync(dataFile(name), "utf8");
    const cut = Math.floor(text.length * 0.9);
    return [text.slice(0, cut), text.slice(cut)];
  });
  return [parts.map(([a]) => a).join("\n"), parts.map(([, b]) => b).join("\n")];
};

/** Tokenizer and tokens for a kind of model. */
export const material = (kind) => {
  const [learn, held] = texts();
  const marksOf = kind === "bert" ? { specialTokens: marks.bert.tokens } : {};
  const learnt = trainBpe([learn.slice(0, 600_000), learn.slice(-600_000)], { vocab: VOCAB, ...marksOf });
  const tokenizer = kind === "bert" ? marked(learnt, marks.bert) : learnt;
  const [trained, validation] = [learn, held].map((part) => tokenizer.encode(part));
  return { tokenizer, material: { kind: "text", train: trained, validation } };
};

/** Kinds of models. */
export const shapes = {
  gpt2: ({ vocabSize }, more) => [
    gpt2,
    gpt2Config({ vocab_size: vocabSize, n_positions: CONTEXT, n_embd: 128, n_layer: 4, n_head: 4, ...more }),
  ],
  bert: ({ vocabSize, specials }, more) => [
    bert,
    bertConfig({
      ...{ vocab_size: vocabSize, hidden_size: 128, num_hidden_layers: 4, num_attention_heads: 4 },
      ...{ intermediate_size: 512, max_position_embeddings: CONTEXT + 8, pad_token_id: specials.pad },
      ...more,
    }),
  ],
};

/** Optimizers and their schedules; wider models take smaller steps. */
const ways = {
  muon: (steps) => ({
    optimizer: muon(),
    schedule: cosineSchedule({ lrPeak: 4e-3, lrMin: 2e-4, warmup: 50, steps }),
  }),
  adamw: (steps, width) => {
    const [lrPeak, lrMin] = width > 64 ? [5e-3, 2e-4] : [6e-3, 3e-4];
    return {
      optimizer: adamw({ weightDecay: 0.1 }),
      schedule: cosineSchedule({ lrPeak, lrMin, warmup: 50, steps }),
    };
  },
};

/** The model of a kind with `more` fields of its config, trained; from the cache where it was before. */
export const trainedModel = async (engine, kind, data, { steps, log, more = {}, optimizer = "muon" }) => {
  const [arch, config] = shapes[kind](data.tokenizer, more);
  const fresh = { arch, config, weights: initialize(arch.params(config), 1), history: [] };
  const key = createHash("sha256")
    .update(JSON.stringify({ config, steps, ...(optimizer === "muon" ? {} : { optimizer }), v: 1 }))
    .digest("hex")
    .slice(0, 12);
  const dir = process.env.ANNEAL_BENCH_CACHE ?? join(homedir(), ".cache", "anneal", "bench");
  const file = join(dir, `quantize-${kind}-${key}.safetensors`);
  if (existsSync(file)) {
    const { tensors } = decodeSafetensors(new Uint8Array(readFileSync(file)), file);
    return { ...fresh, weights: withTensors(fresh.weights, tensors) };
  }
  const options = { model: fresh, tokenizer: data.tokenizer, batch: BATCH, context: CONTEXT, seed: 1 };
  const lesson = taskOf(fresh).lesson(data.material, { ...options, heldOutTokens: 8192 });
  const { model } = await train(engine, fresh, lesson.source, {
    ...{ batch: BATCH, context: CONTEXT, steps, clipNorm: 1, seed: 1, objective: lesson.objective },
    ...ways[optimizer](steps, config.n_embd ?? config.hidden_size),
    validation: lesson.heldOut.windows,
    evalEvery: 100,
    onRow: ({ step, loss, valLoss }) => {
      if (valLoss !== undefined)
        log(`${kind}: step ${step}/${steps} loss ${loss?.toFixed(3)}, held out ${valLoss.toFixed(3)}`);
    },
  });
  mkdirSync(dir, { recursive: true });
  writeFileSync(file, Buffer.concat([...encodeSafetensors(new Map(tensorsOf(model.weights)))]));
  return model;
};

/** A model of others with the texts in its own tokens. */
export const givenModel = async (path, tokens = 200_000) => {
  const { model, tokenizer } = await openModel(path, {});
  const [trained, validation] = texts().map((part) => tokenizer.encode(part.slice(0, 4 * tokens)));
  return { model, data: { tokenizer, material: { kind: "text", train: trained, validation } } };
};

/** The model with its matrices as codes have them, in float32. */
export const asRounded = (model, codes) => {
  const layouts = new Map(model.arch.linears(model.config).map(({ path, layout }) => [path, layout]));
  const rounded = Object.entries(denseMatrices(model)).map(([path, w]) => {
    const numbers = laidLike(matrixOf(path, w, layouts.get(path)), dequantized(codes.get(path)));
    return [path, tensor("float32", w.shape, numbers)];
  });
  return { ...model, weights: withTensors(model.weights, new Map(rounded)) };
};

/** Calibration windows at places that a seed draws. */
export const calibration = (data, seed, tokens) => {
  const { train: all } = data.material;
  const random = rng(seed, "calibration");
  return Array.from({ length: Math.ceil(tokens / CONTEXT) }, () => {
    const start = random.int(all.length - CONTEXT);
    return Array.from(all.subarray(start, start + CONTEXT));
  });
};

/** The mean of differences token by token, with the standard error of means of blocks of 64. */
export const paired = (scores, dense) => {
  const blocks = [];
  for (let from = 0; from + 64 <= scores.length; from += 64) {
    blocks.push(mean(Array.from(scores.subarray(from, from + 64), (v, i) => v - dense[from + i])));
  }
  const gap = mean(Array.from(scores, (v, i) => v - dense[i]));
  const middle = mean(blocks);
  const variance = blocks.reduce((sum, b) => sum + (b - middle) ** 2, 0) / (blocks.length - 1);
  return { gap, error: Math.sqrt(variance / blocks.length) };
};

/** An argument `--name value`, else what is usual. */
export const argument = (args, name, usual) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? usual : Number.isNaN(Number(args[at + 1])) ? args[at + 1] : Number(args[at + 1]);
};
