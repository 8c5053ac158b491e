// What the parts of bench distill share: texts, the teacher, training, the mean of scores, a race of forward passes.
import { compile } from "../../../dist/engine/compile.js";
import { trace } from "../../../dist/ir/program.js";
import { tensor } from "../../../dist/ir/tensor.js";
import { asConstants, initialize } from "../../../dist/nn/param.js";
import { muon } from "../../../dist/optim/index.js";
import { cosineSchedule } from "../../../dist/optim/schedule.js";
import { taskOf } from "../../../dist/tasks/index.js";
import { train } from "../../../dist/train/loop.js";
import {
  argument,
  BATCH,
  CONTEXT,
  material,
  mean,
  paired,
  shapes,
  trainedModel,
} from "../trained/models.mjs";

export { argument, CONTEXT, mean, paired };

/** Texts and tokenizer of decoders. */
export const corpus = () => material("gpt2");

/** A GPT-2 with random weights. */
export const fresh = ({ tokenizer }, layers, seed) => {
  const [arch, config] = shapes.gpt2(tokenizer, { n_layer: layers });
  return { arch, config, weights: initialize(arch.params(config), seed), history: [] };
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
export const teacherOf = (engine, data, { steps, layers, log }) =>
  trainedModel(engine, "gpt2", data, { steps, log, more: { n_layer: layers } });

/** A scorer on held-out tokens, of nats. */
export const scorerOf = (engine, model, data, tokens) => {
  const task = taskOf(model);
  const shape = { model, tokenizer: data.tokenizer, batch: BATCH, context: CONTEXT, seed: 2 };
  return task.scorer(engine, task.heldOut(data.material, { ...shape, heldOutTokens: tokens }), model);
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
