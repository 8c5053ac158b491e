// One process of the part "pipeline": trains a decoder whole, or as a rank that has some of its layers, and prints losses,
// the time of a step and the most memory that the process had. Arguments as JSON: {"size", "steps", "accumulate", "lib",
// "recompute"}.
import { pipeline } from "../../../dist/distribute/pipeline.js";
import { tensorOf } from "../../../dist/ir/tensor.js";
import { gpt2, gpt2Config } from "../../../dist/models/decoders/gpt2.js";
import { countParams, initialize } from "../../../dist/nn/param.js";
import { launcherIn } from "../../../dist/node/mpi/launcher.js";
import { joinWorld } from "../../../dist/node/mpi/world.js";
import { nodeEngine } from "../../../dist/node/runtime/engine.js";
import { adamw } from "../../../dist/optim/adamw.js";
import { train } from "../../../dist/train/loop.js";
import { rng } from "../../../dist/util/rng.js";
import { tell } from "./tell.mjs";

const { size, steps, accumulate, lib, recompute = true } = JSON.parse(process.argv[2]);
const { vocab, width, layers, heads, context, batch } = size;
const shape = { vocab_size: vocab, n_positions: context, n_embd: width, n_layer: layers, n_head: heads };
const config = gpt2Config(shape);
const model = { arch: gpt2, config, weights: initialize(gpt2.params(config), 1), history: [] };
const feedsOf = (index) => {
  const r = rng(index, "scaling");
  const n = batch * context;
  const ids = Array.from({ length: n }, () => r.int(vocab));
  const labels = tensorOf("int32", [n], [...ids.slice(1), ids[0]]);
  return { inputIds: tensorOf("int32", [batch, context], ids), labels };
};

const launched = launcherIn(process.env);
const world = launched === undefined ? undefined : await joinWorld({ launched, lib });
const engine = await nodeEngine({ threads: 1 });
const [losses, times] = [[], []];
let last = performance.now();
await train(engine, model, feedsOf, {
  ...{ batch, context, steps, accumulate, clipNorm: 1, seed: 1, takesWeights: true, recompute },
  ...{ optimizer: adamw({ weightDecay: 0.1 }), schedule: () => 1e-3 },
  ...(world === undefined ? {} : pipeline(world.collective)),
  onRow({ loss }) {
    losses.push(loss);
    times.push(performance.now() - last);
    last = performance.now();
  },
});
const peak = process.resourceUsage().maxRSS * 1024;
const rank = world?.collective.rank ?? 0;
// The first step loads kernels.
const [stepMs] = times
  .slice(1)
  .toSorted((a, b) => a - b)
  .slice((times.length - 1) >> 1);
tell({ params: countParams(model.weights), losses, peak, stepMs, rank });
await world?.leave();
