// A classifier of SST-2 with 4 layers (a pre-trained body of 2, each layer twice: Gong et al. 2019, "progressively stacking"), and its
// student of 2, by the recipes behind `anneal train`, `anneal finetune` and `anneal distill`. The development sentences are measured once.
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeFolder } from "../../../dist/node/files/checkpoints.js";
import { openModel } from "../../../dist/node/hub/hub.js";
import { nodeEngine } from "../../../dist/node/runtime/engine.js";
import {
  defaults,
  distillDefaults,
  distillModel,
  evaluateFolder,
  finetune,
  finetuneDefaults,
  silent,
  trainModel,
} from "../../../dist/recipes/index.js";
import { exportModel } from "../../../dist/ship/onnx/export.js";
import { jsonBytes } from "../../../dist/ship/onnx/files.js";
import { jsonLines, linesOf, reviews } from "../../texts.mjs";
import { argument, mean, raced } from "./shared.mjs";

const hooks = { ui: silent, command: "bench distill" };
const NEVER = 2 ** 31;

const written = (dir, name, rows) => {
  const file = join(dir, name);
  writeFileSync(file, jsonLines(rows));
  return file;
};

/** A body of 2 layers that learnt to fill in masks. */
const bodyOf = async (dir, texts, { args, threads }) => {
  const given = argument(args, "body", "");
  if (given !== "") return given;
  const out = join(dir, "body");
  if (existsSync(join(out, "model", "config.json"))) return join(out, "model");
  const run = {
    ...defaults,
    ...{ out, threads, tokenizer: { kind: "bpe", vocab: 8000 } },
    data: { ...defaults.data, paths: [texts], rules: ["none"], near: "off", lines: "off" },
    model: { ...defaults.model, family: "bert", n_layer: 2, n_head: 4, n_embd: 64, n_positions: 64 },
    train: {
      ...{ ...defaults.train, batch: 32, steps: argument(args, "pretrain-steps", 1000), optimizer: "adamw" },
      ...{ weightDecay: 0.01, lrPeak: 2e-3, lrMin: 0, schedule: "linear", evalEvery: NEVER },
    },
  };
  return (await trainModel(run, hooks)).path;
};

/** The body with each layer twice. */
const stacked = async (body, out) => {
  const { model, tokenizer } = await openModel(body, {});
  const { arch, config, weights } = model;
  const twice = { ...model, ...arch.keepLayers(config, weights, [0, 1, 0, 1]) };
  const { tokenizer: json, config: settings } = tokenizer.files();
  const files = new Map([
    ["tokenizer.json", jsonBytes(json)],
    ["tokenizer_config.json", jsonBytes(settings)],
  ]);
  await writeFolder(out, exportModel(twice, { files, dtypes: ["fp32"] }));
  return out;
};

const accuracyOf = async (folder, dev, threads) => {
  const run = { ...defaults, threads, data: { ...defaults.data, paths: [dev] } };
  const { figures } = await evaluateFolder(folder, { speed: false }, run, hooks);
  return figures.accuracy.value;
};

export const sst2Part = async (options) => {
  const { log, args, threads, seeds } = options;
  const dir = argument(args, "out", mkdtempSync(join(tmpdir(), "anneal-sst2-")));
  mkdirSync(dir, { recursive: true });
  const train = written(dir, "train.jsonl", reviews("sst2.train.tsv"));
  const dev = written(dir, "dev.jsonl", reviews("sst2.dev.tsv"));
  const more = linesOf("wikitext2.valid.txt").filter((line) => !line.trim().startsWith("="));
  const all = [
    ...reviews("sst2.train.tsv").map(({ text }) => text),
    ...more.map((l) => l.trim().toLowerCase()),
  ];
  const texts = written(
    dir,
    "text.jsonl",
    all.map((text) => ({ text })),
  );
  const whole = await stacked(await bodyOf(dir, texts, options), join(dir, "stacked"));
  const data = { ...finetuneDefaults.data, paths: [train], validationShare: 0.02 };
  const task = { ...finetuneDefaults.task, tokenDropout: 0.15 };
  const model = (drop) => ({
    ...finetuneDefaults.model,
    n_positions: 64,
    ...(drop > 0 ? { dropout: drop } : {}),
  });
  const tuning = { batch: 32, lrPeak: 1e-3, weightDecay: 0.01, ema: 0.998, evalEvery: NEVER };
  const runs = [];
  const folders = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const common = { seed, threads, data, task };
    const out = join(dir, `seed-${seed}`);
    const epochs = argument(args, "epochs", 5);
    const teacher = await finetune(
      whole,
      {
        ...{ ...finetuneDefaults, ...common, out: join(out, "teacher"), model: model(0.3) },
        train: { ...finetuneDefaults.train, ...tuning, epochs },
      },
      hooks,
    );
    const student = await distillModel(
      teacher.path,
      { layers: 2, temperature: 2, relations: 0.1 },
      {
        ...{ ...distillDefaults, ...common, out: join(out, "student"), model: model(0) },
        train: {
          ...distillDefaults.train,
          ...tuning,
          lrPeak: 5e-4,
          epochs: argument(args, "student-epochs", 4),
        },
      },
      hooks,
    );
    folders.splice(0, 2, teacher.path, student.path);
    const [a, b] = [
      await accuracyOf(teacher.path, dev, threads),
      await accuracyOf(student.path, dev, threads),
    ];
    runs.push({ teacher: a, student: b, kept: b / a });
    log(`seed ${seed}: teacher ${a.toFixed(4)}, student ${b.toFixed(4)}`);
  }
  const engine = await nodeEngine({ threads });
  const models = [];
  for (const folder of folders) models.push((await openModel(folder, {})).model);
  const [slow, fast] = await raced(engine, models, { tokens: 64, turns: 200 });
  const [slowBatch, fastBatch] = await raced(engine, models, { rows: 32, tokens: 64 });
  return {
    sst2StudentKept: mean(runs.map(({ kept }) => kept)),
    sst2StudentSpeedup: slow / fast,
    sst2StudentBatchSpeedup: slowBatch / fastBatch,
    sst2Runs: runs,
  };
};
