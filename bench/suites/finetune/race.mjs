// The fine-tuning of `bench finetune` beside PyTorch's, from the same weights on the same batches, in turns of a few steps.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { encodeSafetensors } from "../../../dist/formats/safetensors/safetensors.js";
import { tensorsOf } from "../../../dist/nn/param.js";
import { nodeEngine } from "../../../dist/node/runtime/engine.js";
import { adamw } from "../../../dist/optim/adamw.js";
import { scheduleOf } from "../../../dist/optim/schedule.js";
import { silent } from "../../../dist/recipes/context/ui.js";
import { recordOptions } from "../../../dist/recipes/data/records.js";
import { scheduled } from "../../../dist/recipes/finetune/schedule.js";
import { subjectOf } from "../../../dist/recipes/finetune/subject.js";
import { onReplicas } from "../../../dist/recipes/train/replicas.js";
import { averaging } from "../../../dist/train/average.js";
import { seedTensor, stepper } from "../../../dist/train/stepper.js";
import { validator } from "../../../dist/train/validate.js";
import { peerOf } from "../../peers/peer.mjs";

const TURN = 25;
const script = fileURLToPath(new URL("../../peers/finetune.py", import.meta.url));

const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];
const mean = (xs) => xs.reduce((a, b) => a + b, 0) / xs.length;
const spread = (xs) => Math.max(...xs) - Math.min(...xs);

/** The model, the lesson and the options of a seed's fine-tuning, as `anneal finetune` has them. */
const lessonOf = async ({ pretrained, options: given }) => {
  const subject = await subjectOf(pretrained, given, { ui: silent, command: "" });
  const { model, tokenizer, task, data, options } = subject;
  const lesson = task.lesson(data.material, {
    ...{ model, tokenizer, batch: options.train.batch, context: options.model.n_positions },
    ...{ seed: options.seed, heldOutTokens: 65_536, records: recordOptions(options) },
  });
  const { train, seed } = scheduled(options, subject, lesson);
  return { model, lesson, train, seed, schedule: scheduleOf({ ...train, kind: train.schedule }) };
};

/** Batches as the peer reads them: rows, width, token ids, mask, labels. */
const writeBatches = (file, batches) => {
  const bytes = ({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const parts = batches.flatMap(({ inputIds, attentionMask, labels }) => [
    bytes({ data: Int32Array.from(inputIds.shape) }).subarray(),
    ...[inputIds, attentionMask, labels].map(bytes),
  ]);
  writeFileSync(file, Buffer.concat(parts));
};

const annealSide = async (engine, { model, lesson, train, seed, schedule }, batches) => {
  const { objective, context, widths, heldOut, judge } = lesson;
  const make = onReplicas(train, model, engine).stepper ?? stepper;
  const optimizer = adamw({ weightDecay: train.weightDecay });
  const how = { batch: train.batch, context, widths, optimizer, objective, clipNorm: train.clipNorm };
  const ours = await make(engine, model, how);
  const average = averaging({ ema: train.ema });
  const measure = await validator(engine, model, heldOut.windows, { objective, judge });
  return {
    async steps(from, to) {
      const start = performance.now();
      for (let step = from; step < to; step++) {
        const feeds = { ...batches[step], seed: seedTensor(seed, step, 0) };
        await ours.run([feeds], schedule(step), step + 1);
        average.updated(ours.weights());
      }
      return (performance.now() - start) / 1000;
    },
    accuracy: async () => (await measure.run(average.weights())).figure,
    async end() {
      await ours.dispose();
      await measure.dispose();
    },
  };
};

const torchSide = async (dir, threads, { train, schedule }) => {
  const { ask, end } = peerOf(script);
  const { batch, weightDecay, clipNorm, ema } = train;
  await ask({ do: "open", folder: dir, threads, batch, weightDecay, clipNorm, ema });
  return {
    async steps(from, to) {
      const lrs = Array.from({ length: to - from }, (_, i) => schedule(from + i));
      return (await ask({ do: "steps", file: join(dir, "train.bin"), from, lrs })).seconds;
    },
    accuracy: async () => (await ask({ do: "accuracy", file: join(dir, "held.bin") })).accuracy,
    end,
  };
};

const raceOf = async (run, engine, { dir, log }) => {
  const given = await lessonOf(run);
  const { model, lesson, train, seed } = given;
  mkdirSync(dir, { recursive: true });
  const sources = Array.from({ length: train.steps }, (_, step) => lesson.source(step));
  const batches = await Promise.all(sources);
  writeFileSync(join(dir, "config.json"), JSON.stringify(model.config));
  const weights = encodeSafetensors(new Map(tensorsOf(model.weights)), { format: "pt" });
  writeFileSync(join(dir, "model.safetensors"), Buffer.concat([...weights]));
  writeBatches(join(dir, "train.bin"), batches);
  writeBatches(join(dir, "held.bin"), lesson.heldOut.windows);
  const sides = {
    anneal: await annealSide(engine, given, batches),
    torch: await torchSide(dir, engine.threads, given),
  };
  const turns = [];
  for (let from = 0; from < train.steps; from += TURN) {
    const to = Math.min(train.steps, from + TURN);
    const tokens = batches.slice(from, to).reduce((sum, { inputIds }) => sum + inputIds.data.length, 0);
    const turn = {};
    for (const [name, side] of Object.entries(sides)) {
      turn[name] = tokens / (await side.steps(from, to));
      // Threads that have nothing to do go on spinning for a while: that is not the next side's time.
      await sleep(300);
    }
    turns.push(turn);
    if (turns.length % 10 === 0) log(`seed ${seed}, step ${to}: tokens/s ${JSON.stringify(turn)}`);
  }
  const accuracies = {};
  for (const [name, side] of Object.entries(sides)) {
    accuracies[name] = await side.accuracy();
    await side.end();
  }
  log(`seed ${seed}: accuracy ${JSON.stringify(accuracies)}`);
  return { accuracies, turns };
};

/** Fine-tunes each seed's pre-trained model on both sides. */
export const race = async (runs, { dir, threads, log }) => {
  const engine = await nodeEngine(threads > 0 ? { threads } : {});
  const races = [];
  for (const run of runs) {
    const folder = join(dir, `peer-${run.options.seed}`);
    races.push(await raceOf(run, engine, { dir: folder, log }));
  }
  const [ours, theirs] = ["anneal", "torch"].map((name) => races.map(({ accuracies }) => accuracies[name]));
  const delta = mean(ours) - mean(theirs);
  // In a side's first turns graphs are compiled and memory is touched for the first time.
  const turns = races.flatMap((each) => each.turns.slice(2));
  const rate = (name) => median(turns.map((turn) => turn[name]));
  return {
    peerAccuracyDelta: delta,
    // One seed has no spread.
    ...(runs.length > 1
      ? { peerWithinSpread: Math.abs(delta) <= Math.max(spread(ours), spread(theirs)) }
      : {}),
    tokensPerSecOverTorch: median(turns.map(({ anneal, torch }) => anneal / torch)),
    peerAccuracies: { anneal: ours, torch: theirs },
    tokensPerSec: { anneal: rate("anneal"), torch: rate("torch") },
  };
};
