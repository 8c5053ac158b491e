// What each way of pruning loses, on a GPT-2 trained here on real text (8 layers, 64 wide; see trained/models.mjs). "Kept" is what a method
// loses in nats a token of held-out text over what its yardstick loses; void (null) where the yardstick's gap is under three times its
// paired standard error. Methods that read text are run with several samples of it.
// - keptWanda50, keptWanda24, and keptSparseGpt, keptAdmm of both: of magnitude's gap, at half of each matrix and at 2 of 4.
// - blockInfluenceGain: the median gap of 20 random choices of a quarter of the layers over that of the choice by block influence;
//   measuredLayersGain the same of the choice by measured cost.
// - keptRestored: least-squares restoration's gap over the cut's, where half the neurons go; keptRestoredLayers where a quarter of the layers do.
// - prunedTokenShare: tokens that half of the layers, restored and taught by the whole in two rounds, takes to the loss of a fresh model of that
//   size after --fresh steps, over those of the fresh one; null where it does not get there in --recover steps. (At equal tokens of these texts
//   the half is no worse than the whole: its size is not yet what limits it, so that the whole has nothing to teach.)
// - prunedStepShare: the half's time of a decoding step over the whole's, medians of turns.
// The tables of docs/compression.md are of this. Arguments: --steps N (350), --seeds N (3), --layers N (8), --width N (64), --held N held-out tokens (8192),
// --tokens N of calibration (8192), --threads N (1), --fresh N (half of steps), --recover N (0.15 of that), --parts sparse,layers,restored,taught,speed;
// with --parts sparse --model FOLDER or GGUF of another decoder, --methods magnitude,wanda,sparsegpt,admm, --patterns 50,24, --restore no.
import { calibrationBatches } from "../../dist/compress/calibration/batches.js";
import { chooseLayers } from "../../dist/compress/chooseLayers.js";
import { distill } from "../../dist/compress/distillation/distill.js";
import { blockInfluence, mostInfluential } from "../../dist/compress/pruning/blockInfluence.js";
import { chooseUnits } from "../../dist/compress/pruning/chooseUnits.js";
import { importances } from "../../dist/compress/pruning/importance.js";
import { keepUnits } from "../../dist/compress/pruning/keepUnits.js";
import { restored } from "../../dist/compress/pruning/restore.js";
import { sparsified, sparsityMethods } from "../../dist/compress/sparsity/sparsify.js";
import { countParams } from "../../dist/nn/param.js";
import { nodeEngine } from "../../dist/node/runtime/engine.js";
import { adamw } from "../../dist/optim/index.js";
import { cosineSchedule } from "../../dist/optim/schedule.js";
import { decoder } from "../../dist/serve/index.js";
import { taskOf } from "../../dist/tasks/index.js";
import { rng } from "../../dist/util/rng.js";
import {
  argument,
  BATCH,
  CONTEXT,
  calibration,
  givenModel,
  material,
  mean,
  paired,
  trainedModel,
} from "./trained/models.mjs";

const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];
const nats = ({ gap, error }) => `+${gap.toFixed(4)} nats (+-${error.toFixed(4)})`;
const layersOf = ({ arch, config }) => arch.cache(config).layers;
const withLayers = (model, kept) => ({
  ...model,
  ...model.arch.keepLayers(model.config, model.weights, kept),
});

/** Gaps of one method over samples of calibration text. */
const overSamples = async (bench, made) => {
  const gaps = [];
  for (const batches of bench.samples) gaps.push(paired(await bench.score(await made(batches)), bench.dense));
  return { gap: mean(gaps.map(({ gap }) => gap)), error: gaps[0].error, gaps: gaps.map(({ gap }) => gap) };
};

const ratio = (method, by) => (by.gap < 3 * by.error ? null : method.gap / by.gap);

const sparse = async (bench) => {
  const { engine, model, log, methods, patterns } = bench;
  const found = { 50: {}, 24: {} };
  for (const [name, pattern] of Object.entries({ 50: { share: 0.5 }, 24: { zeros: 2, of: 4 } })) {
    if (!patterns.includes(name)) continue;
    for (const method of methods) {
      const once = method === "magnitude" ? { ...bench, samples: bench.samples.slice(0, 1) } : bench;
      found[name][method] = await overSamples(once, async (batches) => {
        return (await sparsified(engine, model, { method, pattern, batches, restore: bench.restore })).model;
      });
      log(`${name === "50" ? "50 %" : "2 of 4"}: ${method} ${nats(found[name][method])}`);
    }
  }
  const kept = (name, method) =>
    found[name][method] === undefined ? undefined : ratio(found[name][method], found[name].magnitude);
  return {
    ...{ keptWanda50: kept(50, "wanda"), keptWanda24: kept(24, "wanda") },
    ...{ keptSparseGpt50: kept(50, "sparsegpt"), keptSparseGpt24: kept(24, "sparsegpt") },
    ...{ keptAdmm50: kept(50, "admm"), keptAdmm24: kept(24, "admm") },
    sparse: found,
  };
};

const layers = async (bench) => {
  const { engine, model, log, dense, samples, score, costOf } = bench;
  const count = layersOf(model);
  const keep = count - Math.round(count / 4);
  const gapOf = async (kept) => paired(await score(withLayers(model, kept)), dense);
  const influence = await blockInfluence(engine, model, samples[0]);
  const byInfluence = mostInfluential(influence, keep);
  const found = { influence: { kept: byInfluence, ...(await gapOf(byInfluence)) } };
  const measured = await chooseLayers(model, { keep, cost: costOf });
  found.measured = { kept: measured, ...(await gapOf(measured)) };
  const random = rng(1, "layers");
  const gaps = [];
  for (let i = 0; i < 20; i++) {
    const all = Array.from({ length: count }, (_, layer) => layer);
    while (all.length > keep) all.splice(random.int(all.length), 1);
    gaps.push((await gapOf(all)).gap);
  }
  found.random = gaps;
  log(
    `layers: influence ${nats(found.influence)}, measured ${nats(found.measured)}, random ${median(gaps).toFixed(4)}`,
  );
  return {
    blockInfluenceGain: median(gaps) / found.influence.gap,
    measuredLayersGain: median(gaps) / found.measured.gap,
    layers: { ...found, blockInfluence: influence },
  };
};

const restoration = async (bench) => {
  const { engine, model, log, dense, lesson, score, samples } = bench;
  const found = {};
  for (const by of importances) {
    for (const keep of [0.75, 0.5]) {
      const runs = [];
      for (const batches of samples.slice(0, by === "activation" && keep === 0.5 ? samples.length : 1)) {
        const cut = keepUnits(
          model,
          "neurons",
          await chooseUnits(engine, model, { kind: "neurons", keep, by, batches, lesson }),
        );
        const { model: fitted } = await restored(engine, cut, { whole: model, batches });
        runs.push([paired(await score(cut), dense), paired(await score(fitted), dense)]);
      }
      const [cut, fitted] = [0, 1].map((at) => ({
        gap: mean(runs.map((run) => run[at].gap)),
        error: runs[0][at].error,
      }));
      found[`${by} ${keep}`] = { cut, restored: fitted };
      log(`neurons ${keep} by ${by}: cut ${nats(cut)}, restored ${nats(fitted)}`);
    }
  }
  const count = layersOf(model);
  const kept = mostInfluential(
    await blockInfluence(engine, model, samples[0]),
    count - Math.round(count / 4),
  );
  const cut = withLayers(model, kept);
  const { model: fitted } = await restored(engine, cut, { whole: model, batches: samples[0], layers: kept });
  const shallow = { cut: paired(await score(cut), dense), restored: paired(await score(fitted), dense) };
  log(`layers: cut ${nats(shallow.cut)}, restored ${nats(shallow.restored)}`);
  const half = found["activation 0.5"];
  return {
    ...{
      keptRestored: ratio(half.restored, half.cut),
      keptRestoredLayers: ratio(shallow.restored, shallow.cut),
    },
    restored: { ...found, layers: shallow },
  };
};

/** Half of the layers, in two rounds of at most a third, each restored and taught. */
const taughtHalf = async (bench, { steps, target }) => {
  const { engine, model, log, lessonFor, samples, costOf } = bench;
  const count = layersOf(model);
  const curve = [];
  let made = model;
  for (const [round, keep] of [Math.round(count * Math.SQRT1_2), count >> 1].entries()) {
    const kept = await chooseLayers(made, { keep, cost: costOf });
    const cut = withLayers(made, kept);
    const { model: fitted } = await restored(engine, cut, { whole: made, batches: samples[0], layers: kept });
    const before = mean(await bench.score(fitted));
    const lesson = lessonFor(fitted);
    const own = round === 0 ? steps >> 1 : steps - (steps >> 1);
    const pass = distill({
      ...{ teacher: model, source: lesson.source },
      teaching: taskOf(fitted).teaching(lesson, { alpha: 0.9, temperature: 1 }, model),
      train: {
        ...{
          batch: BATCH,
          context: CONTEXT,
          steps: own,
          clipNorm: 1,
          seed: 3 + round,
          optimizer: adamw({ weightDecay: 0.1 }),
        },
        schedule: cosineSchedule({ lrPeak: 2e-3, lrMin: 2e-4, warmup: 4, steps: own }),
        validation: lesson.heldOut.windows,
        evalEvery: 4,
        onRow: ({ step, valLoss }) => {
          if (valLoss !== undefined)
            curve.push({ round, step: step + (round === 0 ? 0 : steps >> 1), loss: valLoss });
        },
      },
    });
    made = await pass.run(fitted, { engine, seed: 1, log: () => {} });
    log(
      `${keep} layers (${kept}): restored ${before.toFixed(4)}, taught ${mean(await bench.score(made)).toFixed(4)}, target ${target.toFixed(4)}`,
    );
  }
  return { made, curve, loss: mean(await bench.score(made)) };
};

const taught = async (bench) => {
  const { engine, data, model, fresh: steps, recover, log } = bench;
  const fresh = await trainedModel(engine, "gpt2", data, {
    steps,
    log,
    optimizer: "adamw",
    more: { ...bench.more, n_layer: layersOf(model) >> 1 },
  });
  const target = mean(await bench.score(fresh));
  const { made, curve, loss } = await taughtHalf(bench, { steps: recover, target });
  const sizes = [model, made, fresh].map(({ weights }) => countParams(weights));
  const reached =
    curve.find(({ round, loss: each }) => round === 1 && each <= target)?.step ??
    (loss <= target ? recover : null);
  return {
    prunedTokenShare: reached === null ? null : reached / steps,
    taught: { wholeParams: sizes[0], params: sizes[1], fresh: target, taught: loss, steps, recover, curve },
  };
};

/** Milliseconds of decoding steps of two models in turns. */
const speed = async ({ engine, model, data, log }) => {
  const half = withLayers(
    model,
    Array.from({ length: layersOf(model) >> 1 }, (_, i) => 2 * i),
  );
  const prompt = Array.from(data.material.validation.subarray(0, 64));
  const open = async (each) => {
    const own = await decoder(engine, each);
    return { own, cache: own.cache() };
  };
  const both = [await open(model), await open(half)];
  const turns = [[], []];
  for (const { own, cache } of both) await own.step(cache, prompt, 0);
  for (let turn = 0; turn < 12; turn++) {
    for (const [at, { own, cache }] of both.entries()) {
      const start = performance.now();
      for (let i = 0; i < 32; i++) await own.step(cache, [prompt[i]], 64 + i);
      turns[at].push((performance.now() - start) / 32);
    }
  }
  for (const { own } of both) await own.dispose();
  const [whole, cut] = turns.map(median);
  log(`a step: ${whole.toFixed(3)} ms, of half the layers ${cut.toFixed(3)} ms`);
  return { prunedStepShare: cut / whole, stepMs: { whole, half: cut } };
};

const parts = { sparse, layers, restored: restoration, taught, speed };

/** What gradients are taken of. */
const lessonOf = async ({ objective, source }) => ({
  objective,
  batches: await Promise.all(Array.from({ length: 8 }, (_, i) => source(i))),
});

/** A model that is trained here, or the one that is given. */
const subjectOf = async (engine, args, { steps, log }) => {
  const given = argument(args, "model", "");
  if (given !== "") return { more: {}, ...(await givenModel(given)) };
  const data = material("gpt2");
  const [depth, width] = [argument(args, "layers", 8), argument(args, "width", 64)];
  const more = { n_layer: depth, n_embd: width, n_head: Math.max(1, width >> 5) };
  const model = await trainedModel(engine, "gpt2", data, { steps, log, more, optimizer: "adamw" });
  return { data, model, more };
};

export default async function prune({ log, args }) {
  const engine = await nodeEngine({ threads: argument(args, "threads", 1) });
  const [steps, seeds, tokens] = [
    argument(args, "steps", 350),
    argument(args, "seeds", 3),
    argument(args, "tokens", 8192),
  ];
  const { data, model, more } = await subjectOf(engine, args, { steps, log });
  const task = taskOf(model);
  const shape = { model, tokenizer: data.tokenizer, batch: BATCH, context: CONTEXT, seed: 2 };
  const held = { ...shape, heldOutTokens: argument(args, "held", 8192) };
  const score = await task.scorer(engine, task.heldOut(data.material, held), model);
  const dense = await score(model);
  log(`${dense.length} held-out tokens, ${mean(dense).toFixed(4)} nats`);
  const some = Uint32Array.from(data.material.train.subarray(0, 4096));
  const cost = await task.scorer(
    engine,
    task.heldOut({ kind: "text", train: some, validation: some }, { ...shape, heldOutTokens: 4096 }),
    model,
  );
  const lessonFor = (each) => task.lesson(data.material, { ...held, model: each });
  const bench = {
    ...{ engine, model, data, score, dense, log, steps, more, lessonFor },
    methods: argument(args, "methods", Object.keys(sparsityMethods).join()).split(","),
    restore: argument(args, "restore", "yes") !== "no",
    patterns: String(argument(args, "patterns", "50,24")).split(","),
    fresh: argument(args, "fresh", steps >> 1),
    recover: argument(args, "recover", Math.floor(0.15 * (steps >> 1))),
    lesson: await lessonOf(lessonFor(model)),
    costOf: async (each) => mean(await cost(each)),
    samples: Array.from({ length: seeds }, (_, seed) =>
      calibrationBatches(model, calibration(data, seed + 1, tokens), tokens),
    ),
  };
  const asked = argument(args, "parts", Object.keys(parts).join()).split(",");
  const found = { loss: mean(dense), params: countParams(model.weights) };
  for (const [name, part] of Object.entries(parts))
    if (asked.includes(name)) Object.assign(found, await part(bench));
  return found;
}
