/** Pre-training as the options say: the run's directory, its metrics, its checkpoints. */
import { join } from "node:path";
import type { Engine } from "../engine/engine.ts";
import { gpt2, gpt2Config } from "../models/gpt2.ts";
import type { Json, Model } from "../models/model.ts";
import type { ParamSpec } from "../nn/param.ts";
import { countParams, initialize } from "../nn/param.ts";
import { appendLine, checkpointStore } from "../node/store.ts";
import { optimizers } from "../optim/index.ts";
import { scheduleOf } from "../optim/schedule.ts";
import { checkpointsIn } from "../train/checkpoint.ts";
import { type MetricsRow, type TrainOptions, type TrainResult, train } from "../train/loop.ts";
import type { Windows } from "../train/validate.ts";
import type { Tree } from "../util/tree.ts";
import { type Corpus, trainingSource } from "./corpus.ts";
import type { RunOptions, TrainingOptions } from "./options.ts";
import type { Task, Ui } from "./ui.ts";

/** A fresh model of the options' shape. */
export const newModel = ({ model, seed }: RunOptions, { tokenizer }: Corpus): Model => {
  const { dropout, ...shape } = model;
  const config = gpt2Config({
    ...shape,
    vocab_size: tokenizer.vocabSize,
    bos_token_id: tokenizer.eos,
    eos_token_id: tokenizer.eos,
    resid_pdrop: dropout,
    embd_pdrop: dropout,
    attn_pdrop: dropout,
  });
  const weights = initialize(gpt2.params(config) as unknown as Tree<ParamSpec>, seed);
  return { arch: gpt2, config, weights, history: [] };
};

/** The loop's options from those of a run. */
export const loopOptions = (t: TrainingOptions, context: number, seed: number): TrainOptions => ({
  steps: t.steps,
  batch: t.batch,
  context,
  accumulate: t.accumulate,
  optimizer: optimizers[t.optimizer]({ weightDecay: t.weightDecay, adjustLr: "matchRmsAdamw" }),
  schedule: scheduleOf({
    kind: t.schedule,
    lrPeak: t.lrPeak,
    lrMin: t.lrMin,
    warmup: t.warmup,
    steps: t.steps,
  }),
  seed,
  clipNorm: t.clipNorm,
  clipValue: t.clipValue,
  evalEvery: t.evalEvery,
  checkpointEvery: t.checkpointEvery,
  onNan: t.onNan,
  ...(t.patience > 0 ? { patience: t.patience } : {}),
});

export interface Curve {
  readonly name: string;
  readonly train: readonly (readonly [step: number, loss: number])[];
  readonly validation: readonly (readonly [step: number, loss: number])[];
}

/** Collects a run's curve, shows it, and appends each row to a file. */
export const follow = (name: string, task: Task, file: string) => {
  const train: [number, number][] = [];
  const validation: [number, number][] = [];
  const start = performance.now();
  let held: string | undefined;
  const onRow = (row: MetricsRow): void => {
    const elapsedSec = (performance.now() - start) / 1000;
    appendLine(file, JSON.stringify({ run: name, ...row, elapsedSec }));
    if (row.valLoss !== undefined) {
      validation.push([row.step, row.valLoss]);
      held = row.valLoss.toFixed(3);
    }
    if (row.loss === undefined) return;
    train.push([row.step, row.loss]);
    const rate = row.tokens === undefined ? "" : Math.round(row.tokens / elapsedSec);
    task.update(row.step, { loss: row.loss.toFixed(3), ...(held ? { held } : {}), "tokens/s": rate });
  };
  return { onRow, curve: (): Curve => ({ name, train, validation }) };
};

export interface PretrainHooks {
  readonly windows: Windows;
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
}

export interface Pretrained extends TrainResult {
  readonly curve: Curve;
}

/** What must be equal for a checkpoint to be gone on with. */
const identity = (options: RunOptions, { train }: Corpus): Json => {
  const { data, out, threads, budget, distill, ...rest } = options;
  return { ...rest, tokens: train.tokens.length } as unknown as Json;
};

/** Trains a fresh model on the corpus in OUT/run. */
export const pretrain = async (
  engine: Engine,
  data: Corpus,
  options: RunOptions,
  hooks: PretrainHooks,
  ui: Ui,
): Promise<Pretrained> => {
  const { train: t, model: shape, seed } = options;
  const run = join(options.out, "run");
  const model = newModel(options, data);
  const millions = (countParams(model.weights) / 1e6).toFixed(2);
  ui.line(`model: ${shape.n_layer} layers of ${shape.n_embd}, ${millions} M parameters`);
  const store = checkpointStore(join(run, "checkpoints"), { onWarning: (line) => ui.warn(line) });
  const task = ui.task("training", t.steps);
  const { onRow, curve } = follow("full", task, join(run, "metrics.jsonl"));
  const source = trainingSource(data, t.batch, shape.n_positions, seed);
  const result = await train(engine, model, source, {
    ...loopOptions(t, shape.n_positions, seed),
    record: { name: "train", options: { ...t } as unknown as Json },
    validation: hooks.windows,
    checkpoints: checkpointsIn(store, identity(options, data)),
    onRow,
    ...(hooks.resume === undefined ? {} : { resume: hooks.resume }),
    ...(hooks.signal === undefined ? {} : { signal: hooks.signal }),
  });
  const loss = result.valLoss === undefined ? "" : `, held-out loss ${result.valLoss.toFixed(3)} nats/token`;
  task.done(`trained ${result.steps} steps (${result.ended})${loss}`);
  return { ...result, curve: curve() };
};
