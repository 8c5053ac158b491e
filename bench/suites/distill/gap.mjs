// Students of half the layers: alone, cut out of the teacher and taught, fresh and taught; all on as many tokens.
import { distill, dropLayers } from "../../../dist/compress/index.js";
import { countParams } from "../../../dist/nn/param.js";
import { nodeEngine } from "../../../dist/node/runtime/engine.js";
import { taskOf } from "../../../dist/tasks/index.js";
import {
  corpus,
  fresh,
  lessonOf,
  mean,
  paired,
  raced,
  scorerOf,
  teacherOf,
  trainedAlone,
  trainOptions,
} from "./shared.mjs";

const taught = async (engine, student, teacher, data, how) => {
  const lesson = lessonOf(student, data, how.seed);
  const teaching = taskOf(teacher).teaching(lesson, { alpha: 0.9, temperature: 1 }, teacher);
  const pass = distill({ teacher, teaching, source: lesson.source, train: trainOptions(lesson, how) });
  return pass.run(student, { engine, seed: how.seed, log: () => {} });
};

export const gapPart = async ({ log, threads, seeds, steps, layers, studentLayers, studentSteps, held }) => {
  const engine = await nodeEngine({ threads });
  const data = corpus();
  const teacher = await teacherOf(engine, data, { steps, layers, log });
  const score = await scorerOf(engine, teacher, data, held);
  const whole = await score(teacher);
  const runs = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const how = (name) => ({ steps: studentSteps, seed, log, name });
    const alone = await trainedAlone(engine, fresh(data, studentLayers, seed), data, how("alone"));
    const cut = await dropLayers({ keep: studentLayers }).run(teacher, { engine, seed, log });
    const models = {
      cut: await taught(engine, cut, teacher, data, { ...how("cut out"), lrPeak: 2e-3 }),
      fresh: await taught(engine, fresh(data, studentLayers, seed), teacher, data, how("fresh")),
    };
    const nats = {
      alone: await score(alone),
      cut: await score(models.cut),
      fresh: await score(models.fresh),
    };
    const { gap, error } = paired(nats.alone, whole);
    const closed = (name) => 1 - paired(nats[name], whole).gap / gap;
    runs.push({ gap, error, cut: closed("cut"), fresh: closed("fresh"), alone: mean(nats.alone) });
    log(`seed ${seed}: ${JSON.stringify(runs.at(-1))}`);
  }
  const small = fresh(data, studentLayers, 1);
  const [slow, fast] = await raced(engine, [teacher, small], {});
  const isVoid = runs.some(({ gap, error }) => gap < 3 * error);
  return {
    ...{ teacherNats: mean(whole), aloneNats: mean(runs.map(({ alone }) => alone)) },
    studentShare: countParams(small.weights) / countParams(teacher.weights),
    studentGapClosed: isVoid ? null : mean(runs.map(({ cut }) => cut)),
    freshGapClosed: isVoid ? null : mean(runs.map(({ fresh: f }) => f)),
    studentSpeedup: slow / fast,
    gapRuns: runs,
  };
};
