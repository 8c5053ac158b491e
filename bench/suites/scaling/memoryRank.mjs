// One rank of the part "memory": takes a step and prints the bytes of the arrays that it then holds for training, and
// those of the formula. Arguments as JSON: {"size", "zero", "lib"}.
import { spmd } from "../../../dist/distribute/spmd.js";
import { sizeOf, tensorOf } from "../../../dist/ir/tensor.js";
import { gpt2, gpt2Config } from "../../../dist/models/decoders/gpt2.js";
import { countParams, initialize } from "../../../dist/nn/param.js";
import { launcherIn } from "../../../dist/node/mpi/launcher.js";
import { joinWorld } from "../../../dist/node/mpi/world.js";
import { nodeEngine } from "../../../dist/node/runtime/engine.js";
import { adamw } from "../../../dist/optim/adamw.js";
import { languageModelling } from "../../../dist/tasks/languageModelling.js";
import { rankPlans } from "../../../dist/train/ranks/plan.js";
import { tell } from "./tell.mjs";

const { size, zero, lib } = JSON.parse(process.argv[2]);
const { vocab, width, layers, heads, context, batch } = size;
const shape = { vocab_size: vocab, n_positions: context, n_embd: width, n_layer: layers, n_head: heads };
const config = gpt2Config(shape);
const model = { arch: gpt2, config, weights: initialize(gpt2.params(config), 1), history: [] };
const world = await joinWorld({ launched: launcherIn(process.env), lib });
// Without memory in common all that a rank holds is its own.
const { windows: _, ...collective } = world.collective;
const { rank, size: ranks } = collective;
const options = { batch, context, clipNorm: 1, optimizer: adamw({}), objective: languageModelling };
const engine = await nodeEngine({ threads: 1 });

// What plans hold is the graphs'; what stages keep for later ones are activations.
const [plan] = rankPlans(model, options, { ranks, threads: 1, zero });
const bytes = (types) => types.reduce((sum, type) => sum + 4 * sizeOf(type.shape), 0);
const kept = bytes((plan.stages?.graphs.only ?? []).flatMap((stage) => Object.values(stage.kept)));
const params = Object.assign({}, ...plan.shards);
const parts = (plan.stages?.groups ?? []).map((paths) => bytes(paths.map((path) => params[path])));

const settled = () => {
  for (let k = 0; k < 3; k++) globalThis.gc();
  return process.memoryUsage().arrayBuffers;
};
const before = settled();
const trains = await spmd(collective, { zero }).stepper(engine, model, options);
const ids = Array.from({ length: batch * context }, (_, i) => i % vocab);
await trains.run(
  [
    {
      inputIds: tensorOf("int32", [batch, context], ids),
      labels: tensorOf("int32", [batch * context], ids),
      seed: tensorOf("int32", [], [0]),
    },
  ],
  1e-3,
  1,
);
const held = settled() - before - kept;
const [P, S] = [4 * countParams(model.weights), Math.max(0, ...parts)];
const own = bytes(Object.values(plan.shards[rank]));
const others = (ranks - 1) / ranks;
const grads = zero === 2 ? P / ranks + S + (ranks - 1) * 2 ** 20 : P + P * others;
tell({ rank, held, formula: P + grads + (2 * P) / ranks, share: own / P });
await world.leave();
