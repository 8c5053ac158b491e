// Measures every configuration of the three spaces once and writes tables/NAME.json: `node bench/suites/search/tables.mjs [NAME ...]`.
// On one thread of an AMD EPYC (2 cores shared with other work) train took about 4 minutes of CPU, compress 1, distill 6.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { calibrationBatches } from "../../../dist/compress/calibration/batches.js";
import { modelCodes } from "../../../dist/compress/calibration/codes.js";
import { distill } from "../../../dist/compress/distillation/distill.js";
import { dropLayers } from "../../../dist/compress/dropLayers.js";
import { matrixOf } from "../../../dist/compress/matrix.js";
import { denseMatrices } from "../../../dist/compress/probe.js";
import { quantized } from "../../../dist/compress/quantize.js";
import { dequantized, laidLike } from "../../../dist/compress/rounding/codes.js";
import { tensor } from "../../../dist/ir/tensor.js";
import { gpt2, gpt2Config } from "../../../dist/models/decoders/gpt2.js";
import { countParams, initialize, withTensors } from "../../../dist/nn/param.js";
import { nodeEngine } from "../../../dist/node/runtime/engine.js";
import { adamw, optimizers } from "../../../dist/optim/index.js";
import { scheduleOf } from "../../../dist/optim/schedule.js";
import { configurations } from "../../../dist/search/space/configurations.js";
import { tasks } from "../../../dist/tasks/index.js";
import { trainBpe } from "../../../dist/tokenizer/index.js";
import { train } from "../../../dist/train/loop.js";
import { heldOutLoss } from "../../../dist/train/validate.js";
import { RUNGS, spaces } from "./spaces.mjs";

const [VOCAB, CONTEXT] = [512, 64];
const task = tasks["causal-lm"];

const materialIn = (folder) => {
  const text = readFileSync(`${folder}/tinyshakespeare.txt`, "utf8").slice(0, 500_000);
  const tokenizer = trainBpe([text.slice(0, 200_000)], { vocab: VOCAB });
  const cut = Math.floor(0.9 * text.length);
  const [start, end] = [tokenizer.encode(text.slice(0, cut)), tokenizer.encode(text.slice(cut))];
  return { tokenizer, material: { kind: "text", train: start, validation: end } };
};

const freshModel = ({ layers, width }) => {
  const config = gpt2Config({
    ...{ vocab_size: VOCAB, n_positions: CONTEXT, n_embd: width, n_layer: layers, n_head: width / 32 },
  });
  return { arch: gpt2, config, weights: initialize(gpt2.params(config), 1), history: [] };
};

const lessonOf = ({ tokenizer, material }, model, batch) =>
  task.lesson(material, { model, tokenizer, batch, context: CONTEXT, seed: 1, heldOutTokens: 4096 });

const options = (lr, steps, batch) => ({
  ...{ batch, context: CONTEXT, steps, seed: 1, clipNorm: 1 },
  schedule: scheduleOf({ kind: "cosine", lrPeak: lr, lrMin: lr / 20, warmup: Math.ceil(steps / 10), steps }),
});

const clock = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const seconds = (since) => Number((clock() - since).toFixed(3));
const figure = (x) => Number(x.toPrecision(6));

/** Loss at each rung, with the seconds until there. */
const trained = async (engine, data, { optimizer, lr, batch, ...shape }) => {
  const model = freshModel(shape);
  const lesson = lessonOf(data, model, batch);
  const rungs = [];
  const start = clock();
  const size = countParams(model.weights) / 1e6;
  const onRow = ({ step, valLoss }) => {
    if (valLoss === undefined || !RUNGS.includes(step)) return;
    rungs.push({ objectives: [figure(valLoss), figure(size)], compute: seconds(start) });
  };
  const done = await train(engine, model, lesson.source, {
    ...options(lr, RUNGS.at(-1), batch),
    optimizer: optimizers[optimizer]({ weightDecay: 0.1, adjustLr: "matchRmsAdamw" }),
    ...{
      objective: lesson.objective,
      validation: lesson.heldOut.windows,
      evalEvery: RUNGS[0],
      onRow,
      onNan: "skip",
    },
  }).catch(() => undefined);
  if (done === undefined) return { failed: true, compute: seconds(start), rungs };
  const { objectives } = rungs.at(-1);
  return { objectives, compute: seconds(start), rungs };
};

/** Bytes of the rounded matrices (codes, and a half of a float for each block's scale and zero) and of the rest. */
const bytesOf = (model, bits, block) => {
  const rounded = new Map(Object.entries(denseMatrices(model)));
  const inside = [...rounded.values()].reduce((sum, w) => sum + w.shape[0] * w.shape[1], 0);
  const overhead = bits === 8 ? 0 : 32 / block;
  return ((bits + overhead) / 8) * inside + 4 * (countParams(model.weights) - inside);
};

const roundedTo = async (engine, model, { bits, block = 32, method = "nearest" }, batches) => {
  if (bits === 8) return quantized(model, { bits: 8 });
  const { codes, model: base } = await modelCodes(engine, model, { method, grid: { bits, block }, batches });
  const layouts = new Map(base.arch.linears(base.config).map((info) => [info.path, info.layout]));
  const numbers = Object.entries(denseMatrices(base)).map(([path, w]) => {
    const flat = laidLike(matrixOf(path, w, layouts.get(path)), dequantized(codes.get(path)));
    return [path, tensor("float32", w.shape, flat)];
  });
  return { ...base, weights: withTensors(base.weights, new Map(numbers)) };
};

const whole = async (engine, data, log) => {
  const model = freshModel({ layers: 4, width: 96 });
  const lesson = lessonOf(data, model, 8);
  const made = await train(engine, model, lesson.source, {
    ...options(5e-3, 300, 8),
    ...{ optimizer: optimizers.muon({ adjustLr: "matchRmsAdamw" }), objective: lesson.objective },
  });
  const { loss } = await heldOutLoss(engine, made.model, lesson.heldOut.windows, lesson.objective);
  log(`the model that is compressed: ${loss.toFixed(3)} nats`);
  return { model: made.model, lesson };
};

const compressed =
  ({ model, lesson, engine, batches, context }) =>
  async ({ layers, ...form }) => {
    const start = clock();
    const cut = layers === 4 ? model : await dropLayers({ keep: layers }).run(model, context);
    const rounded = await roundedTo(engine, cut, form, batches);
    const { loss } = await heldOutLoss(engine, rounded, lesson.heldOut.windows, lesson.objective);
    const mb = bytesOf(cut, form.bits, form.block ?? 32) / 1e6;
    return { objectives: [figure(loss), figure(mb)], compute: seconds(start) };
  };

const distilled = ({ model, lesson, engine, batches, context }) => {
  const students = new Map();
  const student = async ({ layers, alpha, temperature = 1, lr }) => {
    const key = JSON.stringify([layers, alpha, temperature, lr]);
    if (!students.has(key)) {
      const start = clock();
      const cut = await dropLayers({ keep: layers }).run(model, context);
      const how = { alpha, temperature };
      const teach = distill({
        ...{ teacher: model, teaching: task.teaching(lesson, how, model), source: lesson.source, said: how },
        train: { ...options(lr, 40, 8), optimizer: adamw({ weightDecay: 0.01 }) },
      });
      students.set(key, { made: await teach.run(cut, context), spent: seconds(start) });
    }
    return students.get(key);
  };
  return async ({ bits, ...how }) => {
    const { made, spent } = await student(how);
    const start = clock();
    const rounded = await roundedTo(engine, made, { bits }, batches);
    const { loss } = await heldOutLoss(engine, rounded, lesson.heldOut.windows, lesson.objective);
    const objectives = [figure(loss), figure(bytesOf(made, bits, 32) / 1e6)];
    // Each trial pays for its student, as trials without a cache do.
    return { objectives, compute: Number((spent + seconds(start)).toFixed(3)) };
  };
};

const measured = async (name, measure, log) => {
  const rows = [];
  for (const values of configurations(spaces[name])) {
    rows.push({ values, ...(await measure(values)) });
    if (rows.length % 10 === 0) log(`${name}: ${rows.length}`);
  }
  const folder = new URL("./tables/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  const text = rows.map((row) => JSON.stringify(row)).join(",\n");
  writeFileSync(new URL(`${name}.json`, folder), `[\n${text}\n]\n`);
};

const log = (line) => console.error(line);
const asked = process.argv.slice(2);
const names = asked.length > 0 ? asked : Object.keys(spaces);
const engine = await nodeEngine({ threads: 1 });
const data = materialIn(process.env.ANNEAL_DATA ?? "../shared/data");
if (names.includes("train")) await measured("train", (values) => trained(engine, data, values), log);
if (names.some((name) => name !== "train")) {
  const made = await whole(engine, data, log);
  const { train: ids } = data.material;
  const texts = Array.from({ length: 64 }, (_, i) => Array.from(ids.subarray(i * 997, i * 997 + CONTEXT)));
  const batches = calibrationBatches(made.model, texts, 4096);
  const context = { engine, seed: 1, log: () => {} };
  const subject = { ...made, engine, batches, context };
  for (const [name, measure] of Object.entries({
    compress: compressed(subject),
    distill: distilled(subject),
  })) {
    if (names.includes(name)) await measured(name, measure, log);
  }
}
