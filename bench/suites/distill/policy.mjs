// A student of some of the layers that goes on to learn from texts of the data alone, or half from texts that it writes on itself: nats of
// held-out text, and KL(student || teacher) a token on what each student writes behind the first quarter of held-out windows.
import { onPolicy } from "../../../dist/compress/distillation/onPolicy.js";
import { dropLayers, teach } from "../../../dist/compress/index.js";
import { tensorsOf } from "../../../dist/nn/param.js";
import { nodeEngine } from "../../../dist/node/runtime/engine.js";
import { taskOf } from "../../../dist/tasks/index.js";
import { tokenScores } from "../../../dist/tasks/scores.js";
import { argument, corpus, lessonOf, mean, paired, scorerOf, teacherOf, trainOptions } from "./shared.mjs";

const WINDOWS = 8;

/** What a student writes, as windows whose labels are its own tokens alone. */
const written = async (engine, student, windows) => {
  const weights = new Map(tensorsOf(student.weights));
  const made = onPolicy(engine, student, {
    ...{ source: (index) => windows[index], weights: () => weights, share: 1, seed: 11 },
  });
  const batches = [];
  for (const index of windows.keys()) {
    const { inputIds, labels } = await made.source(index);
    const length = inputIds.shape[1];
    const prompt = Math.floor((length + 1) / 4) - 1;
    const own = labels.data.map((id, at) => (at % length < prompt ? -100 : id));
    batches.push({ inputIds, labels: { ...labels, data: own } });
  }
  await made.dispose();
  return batches;
};

export const policyPart = async ({
  log,
  args,
  threads,
  steps,
  layers,
  studentLayers,
  studentSteps,
  held,
}) => {
  const engine = await nodeEngine({ threads });
  const data = corpus();
  const teacher = await teacherOf(engine, data, { steps, layers, log });
  const score = await scorerOf(engine, teacher, data, held);
  const cut = await dropLayers({ keep: studentLayers }).run(teacher, { engine, seed: 1, log });
  const taught = async (student, { name, seed, options, lrPeak, more = {}, count }) => {
    const lesson = lessonOf(student, data, seed);
    const teaching = taskOf(teacher).teaching(lesson, { alpha: 1, temperature: 1, ...options }, teacher);
    const train = trainOptions(lesson, { steps: count, seed, lrPeak, log, name });
    return (await teach(engine, student, { teacher, teaching, source: lesson.source, train, ...more })).model;
  };
  const first = { name: "first", seed: 1, options: {}, lrPeak: 2e-3, count: studentSteps };
  const begun = await taught(cut, first);
  const { windows } = lessonOf(begun, data, 5).heldOut;
  const found = {};
  const half = { onPolicy: { share: argument(args, "share", 0.5), seed: 4 } };
  const ways = {
    ...{ data: { options: {} }, reverse: { options: { divergence: "reverse" } } },
    written: { options: { divergence: "reverse" }, more: half },
  };
  for (const [name, way] of Object.entries(ways)) {
    const start = performance.now();
    const how = { name, seed: 2, lrPeak: 5e-4, count: Math.ceil(studentSteps / 2), ...way };
    const model = await taught(begun, how);
    const seconds = (performance.now() - start) / 1000;
    const texts = { windows: await written(engine, model, windows.slice(0, WINDOWS)) };
    const apart = paired(await tokenScores(engine, teacher, texts), await tokenScores(engine, model, texts));
    found[name] = { nats: mean(await score(model)), ownKl: apart, seconds };
    log(`${name}: ${JSON.stringify(found[name])}`);
  }
  return { policyKept: found.written.ownKl.gap / found.data.ownKl.gap, policy: found };
};
