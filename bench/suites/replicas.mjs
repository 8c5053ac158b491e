// A training step on as many replicas as there are cores against the same step on one with as many threads inside its
// ops, in turns: GPT-2s of several sizes, AdamW. A ratio below 1 says that replicas are faster.
import { dataParallel } from "../../dist/distribute/dataParallel.js";
import { tensorOf } from "../../dist/ir/tensor.js";
import { gpt2, gpt2Config } from "../../dist/models/decoders/gpt2.js";
import { countParams, initialize } from "../../dist/nn/param.js";
import { threadTeam } from "../../dist/node/ranks/threadTeam.js";
import { nodeEngine } from "../../dist/node/runtime/engine.js";
import { adamw } from "../../dist/optim/adamw.js";
import { languageModelling } from "../../dist/tasks/languageModelling.js";
import { stepper } from "../../dist/train/stepper.js";
import { rng } from "../../dist/util/rng.js";

const sizes = [
  { name: "nanogpt", vocab: 65, width: 128, layers: 4, heads: 4, context: 64, batch: 12, steps: 60 },
  { name: "quickstart", vocab: 2048, width: 128, layers: 4, heads: 4, context: 128, batch: 8, steps: 30 },
  { name: "wide", vocab: 4096, width: 256, layers: 4, heads: 4, context: 256, batch: 8, steps: 8 },
  { name: "deep", vocab: 4096, width: 512, layers: 6, heads: 8, context: 128, batch: 8, steps: 6 },
  { name: "large", vocab: 8192, width: 768, layers: 12, heads: 12, context: 128, batch: 4, steps: 4 },
];
const ROUNDS = 5;

const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];

const modelOf = ({ vocab, width, layers, heads, context }) => {
  const shape = { vocab_size: vocab, n_positions: context, n_embd: width, n_layer: layers, n_head: heads };
  const config = gpt2Config(shape);
  return { arch: gpt2, config, weights: initialize(gpt2.params(config), 1), history: [] };
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

const compare = async (engine, replicas, size, log) => {
  const { batch, context, steps } = size;
  const [model, feeds] = [modelOf(size), feedsOf(size)];
  const options = {
    ...{ batch, context, clipNorm: 1, optimizer: adamw({ weightDecay: 0.1 }) },
    objective: languageModelling,
  };
  const sides = [
    await stepper(engine, model, options),
    await dataParallel(threadTeam(replicas))(engine, model, options),
  ];
  const times = [[], []];
  let step = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, side] of sides.entries()) {
      const own = [];
      for (let k = 0; k < steps; k++) {
        const start = performance.now();
        await side.run([feeds], 1e-3, ++step);
        // The first steps of a turn find the threads of the other side still spinning.
        if (k >= Math.min(4, steps - 2)) own.push(performance.now() - start);
      }
      times[i].push(median(own));
    }
  }
  for (const side of sides) await side.dispose();
  const ratio = median(times[0].map((one, i) => times[1][i] / one));
  const params = countParams(model.weights);
  log(
    `${size.name}, ${(params / 1e6).toFixed(1)} M: ${median(times[0]).toFixed(1)} ms on one, ` +
      `${median(times[1]).toFixed(1)} ms on ${replicas}, ratio ${ratio.toFixed(3)}`,
  );
  return { params, msOnOne: median(times[0]), msOnReplicas: median(times[1]), ratio };
};

export default async function replicas({ log, args }) {
  const engine = await nodeEngine();
  const metrics = { replicas: engine.threads };
  for (const size of sizes.filter(({ name }) => args.length === 0 || args.includes(name))) {
    const batch = Math.max(engine.threads, size.batch - (size.batch % engine.threads));
    const found = await compare(engine, engine.threads, { ...size, batch }, log);
    for (const [key, value] of Object.entries(found)) metrics[`${size.name}_${key}`] = value;
  }
  return metrics;
}
