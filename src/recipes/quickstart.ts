/**
 * The whole way in one recipe: raw text -> tokens -> a trained model -> candidates -> the best under a
 * budget, shipped.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Context } from "../compress/pass.ts";
import type { Engine } from "../engine/engine.ts";
import type { Model } from "../models/model.ts";
import { probe } from "../node/probe.ts";
import { writeFileDurable } from "../node/store.ts";
import { optimizers } from "../optim/index.ts";
import { scheduleOf } from "../optim/schedule.ts";
import { decoderFiles } from "../ship/bundle.ts";
import { calibrationOf } from "./calibration.ts";
import { type Corpus, heldOut, trainingSource } from "./corpus.ts";
import { type Delivered, deliver } from "./deliver.ts";
import type { RecipeHooks } from "./hooks.ts";
import { type Optimized, type OptimizeOptions, optimize, type ProbeModel } from "./optimize.ts";
import type { RunOptions } from "./options.ts";
import { type Curve, follow, trainFromText } from "./pretrain.ts";
import { onReplicas } from "./replicas.ts";
import type { Source } from "./source.ts";
import { takeRun } from "./takeRun.ts";

export interface Outcome {
  readonly optimized: Optimized;
  readonly delivered: Delivered;
  readonly corpus: Corpus;
}

/** Measures in a process of its own, from a file that is gone afterwards. */
export const probeIn =
  (engine: Engine, vocab: number): ProbeModel =>
  async (model: Model) => {
    const dir = await mkdtemp(join(tmpdir(), "anneal-"));
    try {
      const files = decoderFiles(model, "model.onnx");
      let sizeBytes = 0;
      for (const [name, chunks] of files) {
        await writeFileDurable(join(dir, name), chunks);
        sizeBytes += chunks.reduce((n, c) => n + c.byteLength, 0);
      }
      const shape = model.arch.cache(model.config);
      const figures = await probe({
        file: join(dir, "model.onnx"),
        shape,
        speed: { vocab },
        threads: engine.threads,
      });
      return { ...figures, sizeBytes };
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  };

/** How the student is distilled, as the options say. */
const teaching = (
  options: RunOptions,
  windows: OptimizeOptions["heldOut"]["windows"],
  signal?: AbortSignal,
) => {
  const { distill: d, train: t, model, seed } = options;
  return {
    steps: d.steps,
    batch: t.batch,
    context: model.n_positions,
    optimizer: optimizers.adamw({ weightDecay: t.weightDecay }),
    schedule: scheduleOf({
      kind: "cosine",
      lrPeak: d.lrPeak,
      lrMin: d.lrPeak / 10,
      warmup: Math.min(20, d.steps),
      steps: d.steps,
    }),
    seed,
    clipNorm: 1,
    evalEvery: Math.max(1, Math.floor(d.steps / 3)),
    alpha: d.alpha,
    temperature: d.temperature,
    validation: windows,
    ...(signal === undefined ? {} : { signal }),
  };
};

/** From a trained model to a shipped one: the part that quickstart and optimize share. */
export const compressAndShip = async (
  engine: Engine,
  model: Model,
  data: Corpus,
  options: RunOptions,
  hooks: RecipeHooks & { readonly curves: readonly Curve[]; readonly source?: Source },
): Promise<Outcome> => {
  const { ui, signal } = hooks;
  const { train: t, model: shape, distill: d, seed } = options;
  const held = heldOut(data, t.batch, shape.n_positions);
  ui.stage("Making and measuring candidates");
  const task = ui.task("distilling", d.steps);
  const student = follow("distilled", task, join(options.out, "run", "metrics.jsonl"));
  let announced = false;
  const context: Context = {
    engine,
    seed,
    calibration: calibrationOf(data.tokenizer),
    log: (line) => ui.line(line),
    ...(signal ? { signal } : {}),
  };
  const optimized = await optimize(
    model,
    {
      heldOut: held,
      source: trainingSource(data, t.batch, shape.n_positions, seed + 1),
      budget: options.budget,
      ...(d.layers > 0 ? { keep: d.layers } : {}),
      distill: {
        ...teaching(options, held.windows, signal),
        ...onReplicas(t, model, engine),
        onRow: student.onRow,
      },
      probe: probeIn(engine, data.tokenizer.vocabSize),
      onCandidate: (c) => {
        if (!announced) task.done("distilled the student");
        announced = true;
        const figures = [`${c.bitsPerByte.toFixed(3)} bits/byte`, `${c.p50Ms.toFixed(2)} ms/token`];
        ui.line(`${c.name}: ${figures.join(", ")}, ${(c.sizeBytes / 1e6).toFixed(2)} MB`);
      },
    },
    context,
  );
  ui.stage("Shipping");
  const curves = [...hooks.curves, student.curve()];
  const { command, source } = hooks;
  const from = source === undefined ? {} : { source };
  const delivered = await deliver(engine, { optimized, corpus: data, curves, options, command, ...from });
  return { optimized, delivered, corpus: data };
};

/** Runs everything; undefined when it was interrupted (a checkpoint is then in OUT/run). */
export const quickstart = async (given: RunOptions, hooks: RecipeHooks): Promise<Outcome | undefined> => {
  const unlock = await takeRun(given.out);
  try {
    const { engine, data, trained, options, source } = await trainFromText(given, hooks);
    if (trained.ended === "interrupted") return undefined;
    return await compressAndShip(engine, trained.model, data, options, {
      ...hooks,
      curves: [trained.curve],
      ...(source === undefined ? {} : { source }),
    });
  } finally {
    await unlock();
  }
};
