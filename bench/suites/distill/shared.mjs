// What the parts of bench distill share: texts, the teacher, training, the mean of scores, a race of forward passes.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { compile } from "../../../dist/engine/compile.js";
import { decodeSafetensors, encodeSafetensors } from "../../../dist/formats/safetensors/safetensors.js";
import { trace } from "../../../dist/ir/program.js";
import { tensor } from "../../../dist/ir/tensor.js";
import { gpt2, gpt2Config } from "../../../dist/models/decoders/gpt2.js";
import { asConstants, initialize, tensorsOf, withTensors } from "../../../dist/nn/param.js";
import { muon } from "../../../dist/optim/index.js";
import { cosineSchedule } from "../../../dist/optim/schedule.js";
import { taskOf } from "../../../dist/tasks/index.js";
import { trainBpe } from "../../../dist/tokenizer/index.js";
import { train } from "../../../dist/train/loop.js";

export const [BATCH, CONTEXT, VOCAB] = [8, 128, 2048];
export const mean = (xs) => xs.reduce((a, b) => a + b, 0) / xs.length;

export const argument = (args, name, usual) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? usual : Number.isNaN(Number(args[at + 1])) ? args[at + 1] : Number(args[at + 1]);
};

export const dataFile = (name) => {
  const folders = [process.env.ANNEAL_DATA, "../shared/data", "../../shared/data"].filter(Boolean);
  const file = folders.map((f) => `${f}/${name}`).find(existsSync);
  if (file !== undefined) return file;
  console.error(`${name} is not here; set ANNEAL_DATA to the folder that has it`);
  process.exit(4);
};

/** Nine tenths of both texts to learn from, and the rest. */
export const corpus = () => {
  const parts = ["wikitext2.valid.txt", "tinyshakespeare.txt"].map((name) => {
    const text = readFileSync(dataFile(name), "utf8");
    const cut = Math.floor(text.length * 0.9);
    return [text.slice(0, cut), text.slice(cut)];
  });
  const [learn, held] = [parts.map(([a]) => a).join("\n"), parts.map(([, b]) => b).join("\n")];
  const tokenizer = trainBpe([learn.slice(0, 600_000), learn.slice(-600_000)], { vocab: VOCAB });
  const [trained, validation] = [learn, held].map((part) => tokenizer.encode(part));
  return { tokenizer, material: { kind: "text", train: trained, validation } };
};

/** A GPT-2 with random weights. */
export const fresh = ({ tokenizer }, layers, seed) => {
  const shape = {
    vocab_size: tokenizer.vocabSize,
    n_positions: CONTEXT,
    n_embd: 128,
    n_layer: layers,
    n_head: 4,
  };
  const config = gpt2Config(shape);
  return { arch: gpt2, config, weights: initialize(gpt2.params(config), seed), history: [] };
};

export const lessonOf = (model, data, seed) =>
  taskOf(model).lesson(data.material, {
    ...{ model, tokenizer: data.tokenizer, batch: BATCH, context: CONTEXT, seed },
    heldOutTokens: 8192,
  });

/** How all models here are trained, alone or taught. */
export const trainOptions = (lesson, { steps, seed, lrPeak = 4e-3, log, name }) => ({
  ...{ batch: BATCH, context: CONTEXT, steps, clipNorm: 1, seed },
  optimizer: muon(),
  schedule: cosineSchedule({ lrPeak, lrMin: lrPeak / 20, warmup: Math.min(50, steps >> 2), steps }),
  validation: lesson.heldOut.windows,
  evalEvery: Math.max(1, steps >> 2),
  onRow: ({ step, loss, valLoss }) => {
    if (valLoss !== undefined)
      log(`${name}: step ${step}/${steps} loss ${loss?.toFixed(3)}, held out ${valLoss.toFixed(3)}`);
  },
});

export const trainedAlone = async (engine, model, data, how) => {
  const lesson = lessonOf(model, data, how.seed);
  const options = { ...trainOptions(lesson, how), objective: lesson.objective };
  return (await train(engine, model, lesson.source, options)).model;
};

/** The teacher; from the cache where it was trained before. */
export const teacherOf = async (engine, data, { steps, layers, log }) => {
  const start = fresh(data, layers, 1);
  const said = JSON.stringify({ config: start.config, steps, v: 1 });
  const key = createHash("sha256").update(said).digest("hex").slice(0, 12);
  const dir = process.env.ANNEAL_BENCH_CACHE ?? join(homedir(), ".cache", "anneal", "bench");
  const file = join(dir, `distill-${key}.safetensors`);
  if (existsSync(file)) {
    const { tensors } = decodeSafetensors(new Uint8Array(readFileSync(file)), file);
    return { ...start, weights: withTensors(start.weights, tensors) };
  }
  const model = await trainedAlone(engine, start, data, { steps, seed: 1, log, name: "teacher" });
  mkdirSync(dir, { recursive: true });
  writeFileSync(file, Buffer.concat([...encodeSafetensors(new Map(tensorsOf(model.weights)))]));
  return model;
};

/** A scorer on held-out tokens, of nats. */
export const scorerOf = (engine, model, data, tokens) => {
  const task = taskOf(model);
  const shape = { model, tokenizer: data.tokenizer, batch: BATCH, context: CONTEXT, seed: 2 };
  return task.scorer(engine, task.heldOut(data.material, { ...shape, heldOutTokens: tokens }), model);
};

/** The mean of differences token by token, with the standard error of means of blocks of 64. */
export const paired = (scores, dense) => {
  const blocks = [];
  for (let from = 0; from + 64 <= scores.length; from += 64)
    blocks.push(mean(Array.from(scores.subarray(from, from + 64), (v, i) => v - dense[from + i])));
  const gap = mean(Array.from(scores, (v, i) => v - dense[i]));
  const middle = mean(blocks);
  const variance = blocks.reduce((sum, b) => sum + (b - middle) ** 2, 0) / (blocks.length - 1);
  return { gap, error: Math.sqrt(variance / blocks.length) };
};

/** Median times of forward passes on [rows, tokens], in turns, milliseconds. */
export const raced = async (engine, models, { rows = 1, tokens = CONTEXT, turns = 30 }) => {
  const ids = Int32Array.from({ length: rows * tokens }, (_, i) => 5 + ((i * 7919) % 1000));
  const [inputIds, ones] = [ids, new Int32Array(ids.length).fill(1)].map((d) =>
    tensor("int32", [rows, tokens], d),
  );
  const sessions = [];
  for (const { arch, config, weights } of models) {
    const type = { dtype: "int32", shape: [rows, tokens] };
    const program = trace({ ids: type, mask: type }, ({ ids: read, mask }) => {
      const inputs = { inputIds: read, ...(arch.kind === "encoder" ? { attentionMask: mask } : {}) };
      return { out: arch.forward(asConstants(weights), inputs, config).logits };
    });
    sessions.push(await compile(engine, program));
  }
  const times = sessions.map(() => []);
  for (let turn = 0; turn < turns + 3; turn++) {
    for (const [i, session] of sessions.entries()) {
      const feeds = "mask" in session.inputTypes ? { ids: inputIds, mask: ones } : { ids: inputIds };
      const start = performance.now();
      await session.run(feeds);
      if (turn >= 3) times[i].push(performance.now() - start);
    }
  }
  for (const session of sessions) await session.dispose();
  return times.map((all) => all.toSorted((a, b) => a - b)[all.length >> 1]);
};
