// Masked language modelling of tinyshakespeare beside PyTorch: a BERT of 4 layers, 128 wide, context 128, a vocabulary of
// 4,096 of its own, from the same weights, on the same batches, by the same AdamW and schedule, two threads each, in turns
// of a few steps. Held-out masked loss and tokens a second over three seeds (the speeds' ratio is the median over turns);
// anneal's time includes the making of its batches, PyTorch reads them. torch.compile runs beside with the first seed.
// PyTorch and transformers are those of the Python that ANNEAL_PYTHON names (python3 unless told).
// Arguments: --steps N (300), --seeds N (3), --no-compile.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { encodeSafetensors } from "../../dist/formats/safetensors/safetensors.js";
import { bert, bertConfig } from "../../dist/models/encoders/bert.js";
import { initialize, tensorsOf } from "../../dist/nn/param.js";
import { nodeEngine } from "../../dist/node/runtime/engine.js";
import { adamw } from "../../dist/optim/adamw.js";
import { cosineSchedule } from "../../dist/optim/schedule.js";
import { onReplicas } from "../../dist/recipes/train/replicas.js";
import { tasks } from "../../dist/tasks/index.js";
import { marked, marks } from "../../dist/tokenizer/bpe/marked.js";
import { trainBpe } from "../../dist/tokenizer/index.js";
import { seedTensor, stepper } from "../../dist/train/stepper.js";
import { validator } from "../../dist/train/validate.js";
import { peerOf } from "../peers/peer.mjs";
import { corpus } from "./nanogpt-cpu.mjs";

const [BATCH, CONTEXT, VOCAB, TURN] = [16, 128, 4096, 25];
const [WEIGHT_DECAY, CLIP_NORM] = [0.01, 1];
const script = fileURLToPath(new URL("../peers/mlm.py", import.meta.url));

const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];
const mean = (xs) => xs.reduce((a, b) => a + b, 0) / xs.length;

/** Numbers by name, in words. */
const shown = (numbers, digits) =>
  Object.entries(numbers)
    .map(([name, x]) => `${name} ${x.toFixed(digits)}`)
    .join(", ");

/** What both sides learn from. */
const material = () => {
  const text = corpus();
  const cut = Math.floor(text.length * 0.9);
  const learned = trainBpe([text.slice(0, cut)], { vocab: VOCAB, specialTokens: marks.bert.tokens });
  const tokenizer = marked(learned, marks.bert);
  const [train, validation] = [text.slice(0, cut), text.slice(cut)].map((part) => tokenizer.encode(part));
  return { tokenizer, material: { kind: "text", train, validation } };
};

const freshModel = (tokenizer, seed) => {
  const config = bertConfig({
    ...{ vocab_size: VOCAB, hidden_size: 128, num_hidden_layers: 4, num_attention_heads: 4 },
    ...{ intermediate_size: 512, max_position_embeddings: CONTEXT, pad_token_id: tokenizer.specials.pad },
  });
  return { arch: bert, config, weights: initialize(bert.params(config), seed), history: [] };
};

const writeModel = (dir, { config, weights }) => {
  writeFileSync(join(dir, "config.json"), JSON.stringify(config));
  writeFileSync(
    join(dir, "model.safetensors"),
    Buffer.concat([...encodeSafetensors(new Map(tensorsOf(weights)))]),
  );
};

/** Batches as the peer reads them. */
const writeBatches = (file, batches) => {
  const arrays = batches.flatMap(({ inputIds, attentionMask, labels }) => [inputIds, attentionMask, labels]);
  writeFileSync(
    file,
    Buffer.concat(arrays.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength))),
  );
};

/** anneal's side as its command line trains, behind the peer's face. */
const annealSide = async (engine, model, { lesson, schedule, seed }) => {
  const { objective, source, heldOut } = lesson;
  const make = onReplicas({ replicas: 0, batch: BATCH }, model, engine).stepper ?? stepper;
  const optimizer = adamw({ weightDecay: WEIGHT_DECAY });
  const ours = await make(engine, model, {
    ...{ batch: BATCH, context: CONTEXT, optimizer, objective, clipNorm: CLIP_NORM },
  });
  const measure = await validator(engine, model, heldOut.windows, objective);
  return {
    async steps(from, to) {
      const start = performance.now();
      for (let step = from; step < to; step++) {
        await ours.run(
          [{ ...(await source(step)), seed: seedTensor(seed, step, 0) }],
          schedule(step),
          step + 1,
        );
      }
      return (performance.now() - start) / 1000;
    },
    held: async () => (await measure.run(ours.weights())).loss,
    async end() {
      await ours.dispose();
      await measure.dispose();
    },
  };
};

/** PyTorch's side, from the files in `dir`. */
const torchSide = async (dir, { schedule, compile }) => {
  const { ask, end } = peerOf(script);
  const shape = { batch: BATCH, context: CONTEXT, weightDecay: WEIGHT_DECAY, clipNorm: CLIP_NORM };
  await ask({ do: "open", folder: dir, ...shape, compile });
  return {
    async steps(from, to) {
      const lrs = Array.from({ length: to - from }, (_, i) => schedule(from + i));
      return (await ask({ do: "steps", file: join(dir, "train.bin"), from, lrs })).seconds;
    },
    held: async () => (await ask({ do: "held", file: join(dir, "held.bin") })).loss,
    end,
  };
};

/** One seed: all sides from the same weights on the same batches, turn by turn. */
const race = async (engine, seed, { steps, data, dir, compiled, log }) => {
  const model = freshModel(data.tokenizer, seed);
  const lesson = tasks["masked-lm"].lesson(data.material, {
    ...{ model, tokenizer: data.tokenizer, batch: BATCH, context: CONTEXT, seed, heldOutTokens: 65_536 },
  });
  writeModel(dir, model);
  const batches = Array.from({ length: steps }, (_, step) => lesson.source(step));
  writeBatches(join(dir, "train.bin"), await Promise.all(batches));
  writeBatches(join(dir, "held.bin"), lesson.heldOut.windows);
  const schedule = cosineSchedule({ lrPeak: 1e-3, lrMin: 1e-4, warmup: Math.ceil(steps / 10), steps });
  const sides = {
    anneal: await annealSide(engine, model, { lesson, schedule, seed }),
    torch: await torchSide(dir, { schedule, compile: false }),
    ...(compiled ? { compiled: await torchSide(dir, { schedule, compile: true }) } : {}),
  };
  const turns = [];
  for (let from = 0; from < steps; from += TURN) {
    const to = Math.min(steps, from + TURN);
    const turn = {};
    for (const [name, side] of Object.entries(sides)) {
      turn[name] = ((to - from) * BATCH * CONTEXT) / (await side.steps(from, to));
      // Threads that have nothing to do go on spinning for a while: that is not the next side's time.
      await sleep(300);
    }
    turns.push(turn);
    log(`seed ${seed}, step ${to}: tokens/s ${shown(turn, 0)}`);
  }
  const losses = {};
  for (const [name, side] of Object.entries(sides)) {
    losses[name] = await side.held();
    await side.end();
  }
  log(`seed ${seed}: held-out loss ${shown(losses, 4)}`);
  return { losses, turns };
};

const argument = (args, name, usual) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? usual : Number(args[at + 1]);
};

export default async function mlm({ log, args }) {
  const [steps, seeds] = [argument(args, "steps", 300), argument(args, "seeds", 3)];
  const engine = await nodeEngine({ threads: 2 });
  const data = material();
  const dir = mkdtempSync(join(tmpdir(), "anneal-mlm-"));
  try {
    const races = [];
    for (let seed = 1; seed <= seeds; seed++) {
      const compiled = seed === 1 && !args.includes("--no-compile");
      races.push(await race(engine, seed, { steps, data, dir, compiled, log }));
    }
    const [ours, theirs] = ["anneal", "torch"].map((name) => races.map(({ losses }) => losses[name]));
    const torchSpread = Math.max(...theirs) - Math.min(...theirs);
    // In a side's first turn graphs are compiled and memory is touched for the first time.
    const turns = races.flatMap((r) => r.turns.slice(1));
    const names = Object.keys(races[0].turns[0]);
    const over = (name) => median(turns.filter((turn) => turn[name]).map((turn) => turn.anneal / turn[name]));
    const rate = (name) => median(turns.map((turn) => turn[name]).filter(Boolean));
    return {
      lossOverTorch: mean(ours) / mean(theirs),
      lossWithinSpread: Math.abs(mean(ours) - mean(theirs)) <= torchSpread,
      tokensPerSecOverTorch: over("torch"),
      ...(names.includes("compiled") ? { tokensPerSecOverCompiled: over("compiled") } : {}),
      losses: { anneal: ours, torch: theirs, torchSpread },
      tokensPerSec: Object.fromEntries(names.map((name) => [name, rate(name)])),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
