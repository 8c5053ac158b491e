// Peak resident memory of a training step over its formula (src/train/memory.ts, by which a run is refused where there
// is too little), each in a process of its own: full fine-tuning, LoRA, with recompute of activations, and with the
// loss in chunks of rows. What Node and ONNX Runtime take with a trivial graph is left out. Steps take the model's
// weights and keep V8's heap small as recipes let them; the engine lays out memory alike in all cases. Times of the
// loss in chunks and at once are taken in turns in one process.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { lora } from "../../dist/adapters/index.js";
import { tensorOf } from "../../dist/ir/tensor.js";
import { gpt2, gpt2Config } from "../../dist/models/decoders/gpt2.js";
import { initialize, trainedTensors } from "../../dist/nn/param.js";
import { nodeEngine } from "../../dist/node/runtime/engine.js";
import { keepHeapSmall } from "../../dist/node/runtime/heap.js";
import { adamw } from "../../dist/optim/adamw.js";
import { languageModelling } from "../../dist/tasks/languageModelling.js";
import { stepMemory } from "../../dist/train/memory.js";
import { stepper } from "../../dist/train/stepper.js";
import { rng } from "../../dist/util/rng.js";

const deep = { vocab: 8192, width: 512, layers: 8, heads: 8, context: 128, batch: 4 };
// 8,192 tokens, as many as a batch of fine-tuning's usual size has, of a small model with a large vocabulary.
const wide = { vocab: 32_000, width: 256, layers: 2, heads: 4, context: 128, batch: 64 };
const ROWS = 512;
const STEPS = 2;
const MB = 2 ** 20;

const cases = {
  full: { size: deep },
  recompute: { size: deep, recompute: true },
  lora: { size: deep, rank: 8 },
  loraRecompute: { size: deep, rank: 8, recompute: true },
  whole: { size: wide },
  chunked: { size: wide, lossRows: ROWS },
};

const made = ({ size, rank = 0 }) => {
  const { vocab, width, layers, heads, context } = size;
  const shape = { vocab_size: vocab, n_positions: context, n_embd: width, n_layer: layers, n_head: heads };
  const rates = { resid_pdrop: 0, embd_pdrop: 0, attn_pdrop: 0 };
  const config = gpt2Config({ ...shape, ...rates });
  const model = { arch: gpt2, config, weights: initialize(gpt2.params(config), 1), history: [] };
  return rank > 0 ? lora(model, { rank }) : { model, frozen: () => false };
};

const feedsOf = ({ vocab, context, batch }) => {
  const r = rng(1, "bench");
  const n = batch * context;
  const ids = Array.from({ length: n }, () => r.int(vocab));
  return {
    inputIds: tensorOf("int32", [batch, context], ids),
    labels: tensorOf("int32", [n], ids),
    seed: tensorOf("int32", [], [0]),
  };
};

const formula = ({ model, frozen }, { size, recompute = false, lossRows }) => {
  const trained = Object.fromEntries([...trainedTensors(model.weights)].filter(([name]) => !frozen(name)));
  const { batch, context } = size;
  const step = { batch, context, recompute, optimizer: adamw(), trained };
  const { arch, config } = model;
  return stepMemory(arch, config, { ...step, ...(lossRows === undefined ? {} : { lossRows }) }).total;
};

const optionsOf = ({ size, recompute = false, lossRows }, frozen) => ({
  ...{ batch: size.batch, context: size.context, optimizer: adamw(), clipNorm: 1, frozen },
  ...{
    objective: languageModelling,
    takesWeights: true,
    recompute,
    ...(lossRows === undefined ? {} : { lossRows }),
  },
});

/** Of this process: memory with a trivial session, then the peak of a few steps. */
const measured = async (name) => {
  const given = cases[name];
  const engine = await nodeEngine({ threads: 1 });
  const small = { ...given.size, vocab: 64, width: 16, layers: 1, heads: 1, context: 8, batch: 1 };
  const first = made({ ...given, size: small });
  const warm = await stepper(engine, first.model, optionsOf({ ...given, size: small }, first.frozen));
  await warm.run([feedsOf(small)], 1e-3, 1);
  await warm.dispose();
  globalThis.gc?.();
  const idle = process.memoryUsage.rss();
  const subject = made(given);
  keepHeapSmall();
  const step = await stepper(engine, subject.model, optionsOf(given, subject.frozen));
  const losses = [];
  for (let i = 1; i <= STEPS; i++) losses.push((await step.run([feedsOf(given.size)], 1e-3, i)).loss);
  const peak = 1024 * process.resourceUsage().maxRSS - idle;
  return { peak, formula: formula(subject, given), losses };
};

/** Median over turns of the time of a step in chunks over that of one at once. */
const timeShare = async (turns) => {
  const engine = await nodeEngine();
  const feeds = feedsOf(wide);
  const sides = [];
  for (const name of ["whole", "chunked"]) {
    const subject = made(cases.whole);
    sides.push(await stepper(engine, subject.model, optionsOf(cases[name], subject.frozen)));
  }
  const ratios = [];
  for (let turn = 0; turn < turns + 1; turn++) {
    const times = [];
    for (const side of sides) {
      const start = performance.now();
      for (let i = 0; i < 2; i++) await side.run([feeds], 1e-3, 2 * turn + i + 1);
      times.push(performance.now() - start);
    }
    if (turn > 0) ratios.push(times[1] / times[0]);
  }
  for (const side of sides) await side.dispose();
  return ratios.toSorted((a, b) => a - b)[ratios.length >> 1];
};

const [, file, child] = process.argv;
if (file === fileURLToPath(import.meta.url)) console.log(JSON.stringify(await measured(child)));

export default async function memory({ log, args }) {
  const found = {};
  const names = Object.keys(cases).filter((name) => args.length === 0 || args.includes(name));
  for (const name of names) {
    const script = [fileURLToPath(import.meta.url), name];
    const out = execFileSync(process.execPath, ["--expose-gc", ...script], { encoding: "utf8" });
    found[name] = JSON.parse(out.trim().split("\n").at(-1));
    const { peak, formula: wanted, losses } = found[name];
    const text = losses.map((loss) => loss.toFixed(5)).join(" ");
    log(`${name}: ${(peak / MB).toFixed(0)} MB, formula ${(wanted / MB).toFixed(0)} MB; losses ${text}`);
  }
  if (names.length < Object.keys(cases).length) return {};
  const over = (a, b) => found[a].peak / found[b].peak;
  const chunkedLossTimeShare = await timeShare(5);
  return {
    peakOverFormula: Math.max(...Object.values(found).map(({ peak, formula: wanted }) => peak / wanted)),
    recomputePeakOverFull: over("recompute", "full"),
    loraPeakOverFull: over("lora", "full"),
    loraRecomputePeakOverFull: over("loraRecompute", "full"),
    chunkedLossPeakShare: over("chunked", "whole"),
    chunkedLossTimeShare,
  };
}
