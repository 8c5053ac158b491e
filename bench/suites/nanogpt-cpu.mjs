// nanoGPT's CPU recipe on tinyshakespeare (4 layers, 4 heads, 128 wide, context 64, batch 12, 2000 steps, no dropout, its
// schedule, a look at 20 held-out batches every 250 steps): wall time of the training, when such a look first saw a loss
// of 1.88 or less (what its README reports for the whole recipe), and the final loss on the last 10 % of the text, all of it.
// https://github.com/karpathy/nanoGPT#quick-start
import { readFileSync } from "node:fs";
import { dataParallel } from "../../dist/distribute/dataParallel.js";
import { tensor } from "../../dist/ir/tensor.js";
import { gpt2, gpt2Config } from "../../dist/models/decoders/gpt2.js";
import { initialize } from "../../dist/nn/param.js";
import { threadTeam } from "../../dist/node/ranks/threadTeam.js";
import { nodeEngine } from "../../dist/node/runtime/engine.js";
import { adamw } from "../../dist/optim/adamw.js";
import { cosineSchedule } from "../../dist/optim/schedule.js";
import { train } from "../../dist/train/loop.js";
import { heldOutLoss } from "../../dist/train/validate.js";
import { rng } from "../../dist/util/rng.js";
import { dataFile } from "../texts.mjs";

const B = 12;
const T = 64;
const STEPS = 2000;

/** The text of tinyshakespeare. */
export const corpus = () => readFileSync(dataFile("tinyshakespeare.txt"), "utf8");

const windows = (tokens, context) => {
  const list = [];
  for (let start = 0; start + B * context < tokens.length; start += B * context) {
    const at = (shift) => tokens.subarray(start + shift, start + shift + B * context);
    list.push({
      inputIds: tensor("int32", [B, context], Int32Array.from(at(0))),
      labels: tensor("int32", [B * context], Int32Array.from(at(1))),
    });
  }
  return list;
};

export default async function nanogptCpu({ log, args }) {
  const text = corpus();
  const alphabet = [...new Set(text)].sort();
  const ids = new Map(alphabet.map((c, i) => [c, i]));
  const tokens = Int32Array.from(text, (c) => ids.get(c));
  const cut = Math.floor(tokens.length * 0.9);
  const [learn, held] = [tokens.subarray(0, cut), tokens.subarray(cut)];

  const source = (step) => {
    const r = rng(1, "windows", step * B);
    const inputIds = new Int32Array(B * T);
    const labels = new Int32Array(B * T);
    for (let b = 0; b < B; b++) {
      const start = r.int(learn.length - T - 1);
      inputIds.set(learn.subarray(start, start + T), b * T);
      labels.set(learn.subarray(start + 1, start + T + 1), b * T);
    }
    return { inputIds: tensor("int32", [B, T], inputIds), labels: tensor("int32", [B * T], labels) };
  };

  const config = gpt2Config({
    vocab_size: alphabet.length,
    n_positions: T,
    n_embd: 128,
    n_layer: 4,
    n_head: 4,
    activation_function: "gelu",
    resid_pdrop: 0,
    embd_pdrop: 0,
    attn_pdrop: 0,
  });
  const engine = await nodeEngine();
  const replicas = Number(args.find((arg) => arg.startsWith("--replicas="))?.split("=")[1] ?? engine.threads);
  const model = { arch: gpt2, config, weights: initialize(gpt2.params(config), 1), history: [] };
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  let secondsToValLoss188;
  const result = await train(engine, model, source, {
    batch: B,
    ...(replicas > 1 ? { stepper: dataParallel(threadTeam(replicas)) } : {}),
    context: T,
    steps: STEPS,
    optimizer: adamw({ b1: 0.9, b2: 0.99, weightDecay: 0.1 }),
    schedule: cosineSchedule({ lrPeak: 1e-3, lrMin: 1e-4, warmup: 100, steps: STEPS }),
    clipNorm: 1,
    // The recipe has no biases; here they are zero and stay so.
    frozen: (path) => path.endsWith(".bias"),
    validation: windows(held, T)
      .filter((_, i) => i % 7 === 0)
      .slice(0, 20),
    evalEvery: 250,
    onRow: ({ step, loss, valLoss }) => {
      if (valLoss !== undefined) log(`step ${step}/${STEPS} held-out loss ${valLoss.toFixed(4)}`);
      if (valLoss <= 1.88) secondsToValLoss188 ??= elapsed();
      if (step % 100 === 0 && loss !== undefined) {
        log(`step ${step}/${STEPS} loss ${loss.toFixed(4)} ${elapsed().toFixed(1)} s`);
      }
    },
  });
  const seconds = elapsed();
  const { loss: valLoss, tokens: valTokens } = await heldOutLoss(engine, result.model, windows(held, T));
  return { replicas, seconds, valLoss, valTokens, secondsToValLoss188, msPerStep: (seconds * 1000) / STEPS };
}
