// What each method of rounding weights loses, on models trained here on real text (wikitext2.valid and tinyshakespeare, a
// vocabulary of 2,048, 4 layers, 128 wide, 1.1 M parameters): a GPT-2 and a BERT. "Gap kept" is (method - dense) / (nearest - dense) in nats a
// token of held-out text, with the rounded weights in float32, so that nothing but rounding is measured; void (null) where
// nearest's gap is under three times its paired standard error. Methods that read text are run with three samples of it.
// Grids have a zero point of their own unless they are called symmetric, as the default of transformers.js's converter is, which loses half as
// much again when it rounds to nearest. Seconds are of the processor; scaleSearchTimeShare is scale search's over GPTQ's, in blocks of 32 at 4 bits.
// int8Nats, int4RoundingNats and int4BestNats are of graphs as they are shipped, all matrices in 8 or in 4 bits.
// keptMixed and keptReconstruction24 are of quantize/mixed.mjs, keptSmoothQuant of quantize/outliers.mjs, encoderInt8Speedup and
// encoderInt8OverOpenVino (above 1 where the file made here is the faster one) of quantize/encoder.mjs.
// The table of docs/compression.md is of this. Trained models are kept in ~/.cache/anneal/bench (or the folder that ANNEAL_BENCH_CACHE names).
// Arguments: --steps N (600), --seeds N (3), --model gpt2|bert, --threads N (1), --held N held-out tokens (65536), --tokens N of
// calibration (32768), --methods search,hqq,awq,gptq,reconstruct, --grids N (5: blocks of 32 at 4 and 3 bits, then per channel, then symmetric blocks of 32 at 4), --parts rounding,encoder,
// --encoder FOLDER that is timed (else a fresh BERT 768 wide), --encoder-layers N of that (12), --turns N (10). ANNEAL_PYTHON names a Python
// with openvino and nncf.
import { calibrationBatches } from "../../dist/compress/calibration/batches.js";
import { modelCodes } from "../../dist/compress/calibration/codes.js";
import { int8Forms } from "../../dist/compress/forms.js";
import { quantized } from "../../dist/compress/quantize.js";
import { nodeEngine } from "../../dist/node/runtime/engine.js";
import { taskOf } from "../../dist/tasks/index.js";
import { encoderPart } from "./quantize/encoder.mjs";
import { mixtures } from "./quantize/mixed.mjs";
import { outliers } from "./quantize/outliers.mjs";
import {
  argument,
  asRounded,
  BATCH,
  CONTEXT,
  calibration,
  material,
  mean,
  paired,
  shapes,
  trainedModel,
} from "./trained/models.mjs";

const SYMMETRIC = { bits: 4, block: 32, symmetric: true };
const GRIDS = [{ bits: 4, block: 32 }, { bits: 3, block: 32 }, { bits: 4 }, { bits: 3 }, SYMMETRIC];
const nameOf = ({ bits, block, symmetric = false }) =>
  `${bits} bits, ${block === undefined ? "per channel" : `blocks of ${block}`}${symmetric ? ", symmetric" : ""}`;
const ALL = ["nearest", "search", "hqq", "awq", "gptq", "reconstruct"];
const reads = { search: true, awq: true, gptq: true, reconstruct: true };

/** Gaps of all methods on one grid. */
const onGrid = async (engine, model, grid, { data, score, dense, seeds, tokens, methods, log }) => {
  const found = {};
  const seconds = {};
  for (const method of methods) {
    const runs = [];
    for (let seed = 1; seed <= (reads[method] ? seeds : 1); seed++) {
      const batches = reads[method]
        ? calibrationBatches(model, calibration(data, seed, tokens), tokens)
        : undefined;
      const start = process.cpuUsage();
      const made = await modelCodes(engine, model, { method, grid, batches });
      const { user, system } = process.cpuUsage(start);
      seconds[method] = (user + system) / 1e6;
      runs.push(paired(await score(asRounded(made.model, made.codes)), dense));
    }
    found[method] = {
      gap: mean(runs.map(({ gap }) => gap)),
      error: runs[0].error,
      gaps: runs.map(({ gap }) => gap),
    };
    log(
      `${nameOf(grid)}: ${method} +${found[method].gap.toFixed(4)} nats (+-${found[method].error.toFixed(4)}), ${seconds[method].toFixed(1)} s`,
    );
  }
  const { gap, error } = found.nearest;
  const isVoid = gap < 3 * error;
  const kept = Object.fromEntries(methods.slice(1).map((m) => [m, isVoid ? null : found[m].gap / gap]));
  return {
    nearest: gap,
    error,
    kept,
    gaps: Object.fromEntries(methods.map((m) => [m, found[m].gaps])),
    seconds,
  };
};

/** Nats that graphs lose as they are shipped. */
const shipped = async (engine, model, { data, score, dense, tokens, methods }) => {
  const texts = calibration(data, 1, tokens);
  const batches = calibrationBatches(model, texts, tokens);
  const forms = await int8Forms(engine, model, texts);
  const nats = async (form) => paired(await score(form), dense).gap;
  const of = async (method) => {
    const made = await modelCodes(engine, model, { method, grid: { bits: 4, block: 32 }, batches });
    return nats(quantized(made.model, { bits: 4 }, { codes: made.codes }));
  };
  const four = {};
  for (const method of methods) four[method] = await of(method);
  return { int8Nats: await nats(quantized(model, { bits: 8 }, { forms })), four };
};

/** A trained model with its held-out data and what it scores on them. */
const subjectOf = async (engine, kind, options) => {
  const { log } = options;
  const data = material(kind);
  const model = await trainedModel(engine, kind, data, options);
  const task = taskOf(model);
  const shape = { model, tokenizer: data.tokenizer, batch: BATCH, context: CONTEXT, seed: 2 };
  const heldOut = task.heldOut(data.material, { ...shape, heldOutTokens: options.held });
  const score = await task.scorer(engine, heldOut, model);
  const dense = await score(model);
  log(`${kind}: ${dense.length} held-out tokens, ${mean(dense).toFixed(4)} nats`);
  return { data, model, heldOut, score, dense };
};

/** What rounding a kind of model loses, by all methods. */
const roundingOf = async (engine, kind, options) => {
  const { data, model, score, dense } = await subjectOf(engine, kind, options);
  const { log, seeds, tokens, methods } = options;
  const context = { data, score, dense, log, seeds, tokens, methods };
  const grids = {};
  for (const grid of GRIDS.slice(0, options.grids))
    grids[nameOf(grid)] = await onGrid(engine, model, grid, context);
  const { int8Nats, four } = await shipped(engine, model, context);
  const batches = calibrationBatches(model, calibration(data, 1, tokens), tokens);
  const further = { data, score, dense, asRounded, batches, log };
  const mixed = await mixtures(engine, model, further);
  const smooth = await outliers(engine, model, further);
  return {
    loss: mean(dense),
    tokens: dense.length,
    int8Nats,
    int4Nats: four,
    grids,
    mixed,
    outliers: smooth,
  };
};

const rounding = async (engine, options, args) => {
  const asked = argument(args, "model", undefined);
  const kinds = asked === undefined ? Object.keys(shapes) : [asked];
  const models = {};
  for (const kind of kinds) models[kind] = await roundingOf(engine, kind, options);
  const [first] = Object.values(models);
  const [blocks, channels, channels3, symmetric] = [GRIDS[0], GRIDS[2], GRIDS[3], SYMMETRIC].map(
    (grid) => first.grids[nameOf(grid)]?.kept ?? {},
  );
  const { search, gptq } = first.grids[nameOf(GRIDS[0])].seconds;
  const { nearest, ...others } = first.int4Nats;
  return {
    ...{
      int8Nats: first.int8Nats,
      int4RoundingNats: nearest,
      int4BestNats: Math.min(...Object.values(others)),
    },
    ...{ keptScaleSearch: blocks.search, keptGptq: blocks.gptq, keptAwq: blocks.awq, keptHqq: blocks.hqq },
    ...{ keptScaleSearchSymmetric: symmetric.search, keptAwqSymmetric: symmetric.awq },
    ...{ keptGptqChannel: channels.gptq, keptGptqChannel3: channels3.gptq },
    ...{ keptReconstruction4: blocks.reconstruct, scaleSearchTimeShare: search / gptq },
    ...{ keptMixed: first.mixed.three.kept, keptReconstruction24: first.mixed.three.keptReconstruction },
    keptSmoothQuant: first.outliers?.kept,
    models,
  };
};

export default async function quantize({ log, args }) {
  const engine = await nodeEngine({ threads: argument(args, "threads", 1) });
  const options = {
    ...{ log, steps: argument(args, "steps", 600), seeds: argument(args, "seeds", 3) },
    held: argument(args, "held", 65_536),
    tokens: argument(args, "tokens", 32_768),
    grids: argument(args, "grids", GRIDS.length),
    ...{ encoder: argument(args, "encoder", ""), layers: argument(args, "encoder-layers", 12) },
    turns: argument(args, "turns", 10),
    methods: [
      "nearest",
      ...ALL.slice(1).filter((m) => argument(args, "methods", ALL.join()).split(",").includes(m)),
    ],
  };
  const parts = String(argument(args, "parts", "rounding,encoder")).split(",");
  return {
    ...(parts.includes("rounding") ? await rounding(engine, options, args) : {}),
    ...(parts.includes("encoder")
      ? await encoderPart(engine, await subjectOf(engine, "bert", options), options)
      : {}),
  };
}
