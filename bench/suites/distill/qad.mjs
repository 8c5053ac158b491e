// Training against quantization at 3 and 2 bits in blocks of 32, beside what reads no gradients.
import { calibrationBatches } from "../../../dist/compress/calibration/batches.js";
import { modelCodes } from "../../../dist/compress/calibration/codes.js";
import { learningRounded, learntRounded } from "../../../dist/compress/distillation/learntRounding.js";
import { teach } from "../../../dist/compress/index.js";
import { nodeEngine } from "../../../dist/node/runtime/engine.js";
import { adamw, linearSchedule } from "../../../dist/optim/index.js";
import { taskOf } from "../../../dist/tasks/index.js";
import { asRounded, calibration } from "../trained/models.mjs";
import { argument, corpus, lessonOf, paired, scorerOf, teacherOf, trainOptions } from "./shared.mjs";

export const qadPart = async ({ log, args, threads, steps, layers, held }) => {
  const engine = await nodeEngine({ threads });
  const data = corpus();
  const teacher = await teacherOf(engine, data, { steps, layers, log });
  const score = await scorerOf(engine, teacher, data, held);
  const dense = await score(teacher);
  const batches = calibrationBatches(teacher, calibration(data, 1, 8192), 8192);
  const qadSteps = argument(args, "qad-steps", 600);
  const found = {};
  for (const bits of String(argument(args, "bits", "3,2"))
    .split(",")
    .map(Number)) {
    const grid = { bits, block: 32 };
    const gaps = {};
    let begun;
    for (const method of String(argument(args, "methods", "nearest,search,gptq,reconstruct")).split(",")) {
      const made = await modelCodes(engine, teacher, { method, grid, batches });
      gaps[method] = paired(await score(asRounded(made.model, made.codes)), dense);
      if (method === "search" || begun === undefined) begun = made;
      log(`${bits} bits: ${method} +${gaps[method].gap.toFixed(4)} (+-${gaps[method].error.toFixed(4)})`);
    }
    const lesson = lessonOf(teacher, data, 3);
    const teaching = taskOf(teacher).teaching(lesson, { alpha: 1, temperature: 1 }, teacher);
    const start = performance.now();
    const how = {
      steps: qadSteps,
      seed: 3,
      lrPeak: argument(args, "qad-lr", 3.6e-3 / 2 ** bits),
      log,
      name: `${bits} bits`,
    };
    const taught = await teach(engine, learningRounded(begun.model, begun.codes), {
      ...{ teacher, teaching, source: lesson.source },
      // As `anneal distill --bits` has both: a rate in the measure of a code, that falls to nothing.
      train: {
        ...trainOptions(lesson, how),
        optimizer: adamw({ weightDecay: 0 }),
        schedule: linearSchedule({ lrPeak: how.lrPeak, warmup: Math.floor(qadSteps / 10), steps: qadSteps }),
      },
    });
    const { model } = learntRounded(taught.model);
    const qad = paired(await score(model), dense);
    const best = Math.min(...Object.values(gaps).map(({ gap }) => gap));
    const seconds = (performance.now() - start) / 1000;
    log(`${bits} bits: learnt +${qad.gap.toFixed(4)} (+-${qad.error.toFixed(4)}) in ${seconds.toFixed(0)} s`);
    found[bits] = { kept: best < 3 * qad.error ? null : qad.gap / best, qad, gaps, seconds };
  }
  return { keptQad3: found[3]?.kept, keptQad2: found[2]?.kept, qad: found };
};
