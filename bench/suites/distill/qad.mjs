// Training against quantization at 3 and 2 bits in blocks of 32, beside what reads no gradients.
import { calibrationBatches } from "../../../dist/compress/calibration/batches.js";
import { modelCodes } from "../../../dist/compress/calibration/codes.js";
import { learningRounded, learntRounded } from "../../../dist/compress/distillation/learntRounding.js";
import { teach } from "../../../dist/compress/index.js";
import { nodeEngine } from "../../../dist/node/runtime/engine.js";
import { adamw, linearSchedule } from "../../../dist/optim/index.js";
import { taskOf } from "../../../dist/tasks/index.js";
import { asRounded, calibration } from "../trained/models.mjs";
import { argument, corpus, lessonOf, mean, paired, scorerOf, teacherOf, trainOptions } from "./shared.mjs";

/** Means of samples' gaps, with the standard error of a mean of what errs alike. */
const meanOf = (all) => ({
  gap: mean(all.map(({ gap }) => gap)),
  error: mean(all.map(({ error }) => error)),
});

/** A sample: what methods without gradients lose that look at its text, and what a student loses that learns in its order. */
const sample = async ({ log, args, engine, data, teacher, loses, bits, methods, seed }) => {
  const batches = calibrationBatches(teacher, calibration(data, seed, 8192), 8192);
  const grid = { bits, block: 32 };
  const gaps = {};
  let begun;
  for (const method of methods) {
    const made = await modelCodes(engine, teacher, { method, grid, batches });
    gaps[method] = await loses(asRounded(made.model, made.codes));
    if (method === "search" || begun === undefined) begun = made;
    log(
      `${bits} bits, sample ${seed}: ${method} +${gaps[method].gap.toFixed(4)} (+-${gaps[method].error.toFixed(4)})`,
    );
  }
  const lesson = lessonOf(teacher, data, seed + 2);
  const teaching = taskOf(teacher).teaching(lesson, { alpha: 1, temperature: 1 }, teacher);
  const start = performance.now();
  const steps = argument(args, "qad-steps", 1200);
  const lrPeak = argument(args, "qad-lr", 3.6e-3 / 2 ** bits);
  const how = { ...{ steps, lrPeak, log, seed: seed + 2 }, name: `${bits} bits` };
  const taught = await teach(engine, learningRounded(begun.model, begun.codes), {
    ...{ teacher, teaching, source: lesson.source },
    // As `anneal distill --bits` has all three: a rate in the measure of a code, that falls to nothing, and
    // the last weights, since what 8,192 held-out tokens say of earlier ones is chance.
    train: {
      ...trainOptions(lesson, how),
      keep: "last",
      optimizer: adamw({ weightDecay: 0 }),
      schedule: linearSchedule({ lrPeak, warmup: Math.floor(steps / 10), steps }),
    },
  });
  const qad = await loses(learntRounded(taught.model).model);
  const seconds = (performance.now() - start) / 1000;
  const told = `learnt +${qad.gap.toFixed(4)} (+-${qad.error.toFixed(4)})`;
  log(`${bits} bits, sample ${seed}: ${told} in ${seconds.toFixed(0)} s`);
  return { gaps, qad, seconds };
};

/** Held-out tokens: by fewer, a student's loss errs by an eighth. */
const HELD = 65_536;

export const qadPart = async ({ log, args, threads, seeds, steps, layers }) => {
  const engine = await nodeEngine({ threads });
  const data = corpus();
  const teacher = await teacherOf(engine, data, { steps, layers, log });
  const score = await scorerOf(engine, teacher, data, argument(args, "held", HELD));
  const dense = await score(teacher);
  const loses = async (model) => paired(await score(model), dense);
  const methods = String(argument(args, "methods", "nearest,search,gptq,reconstruct")).split(",");
  const found = {};
  const wanted = String(argument(args, "bits", "3,2"))
    .split(",")
    .map(Number);
  for (const bits of wanted) {
    const samples = [];
    for (let seed = 1; seed <= seeds; seed++)
      samples.push(await sample({ log, args, engine, data, teacher, loses, bits, methods, seed }));
    const gaps = Object.fromEntries(methods.map((name) => [name, meanOf(samples.map((s) => s.gaps[name]))]));
    const qad = meanOf(samples.map((s) => s.qad));
    const best = Math.min(...Object.values(gaps).map(({ gap }) => gap));
    const keptEach = samples.map((s) => s.qad.gap / Math.min(...Object.values(s.gaps).map(({ gap }) => gap)));
    const seconds = mean(samples.map((s) => s.seconds));
    found[bits] = { kept: best < 3 * qad.error ? null : qad.gap / best, keptEach, qad, gaps, seconds };
  }
  return { keptQad3: found[3]?.kept, keptQad2: found[2]?.kept, qad: found };
};
