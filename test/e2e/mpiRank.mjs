// Trains a small decoder, a small classifier and adapters, and prints their losses and a hash of their
// weights: under mpirun as one of its ranks (argument: the library, "-" for the launcher's own; with "stop" rank 1
// stops its own process in the midst), else on one process and on the threads of two replicas.
import { createHash } from "node:crypto";
import { dataParallel, pipeline, spmd } from "../../dist/distribute/index.js";
import { tensorOf } from "../../dist/ir/tensor.js";
import { gpt2, gpt2Config } from "../../dist/models/decoders/gpt2.js";
import { bert, bertConfig } from "../../dist/models/encoders/bert.js";
import { initialize, tensorsOf } from "../../dist/nn/param.js";
import { launcherIn } from "../../dist/node/mpi/launcher.js";
import { joinWorld } from "../../dist/node/mpi/world.js";
import { threadTeam } from "../../dist/node/ranks/threadTeam.js";
import { nodeEngine } from "../../dist/node/runtime/engine.js";
import { optimizers } from "../../dist/optim/index.js";
import { defaults } from "../../dist/recipes/config/options.js";
import { methodOf } from "../../dist/recipes/train/method.js";
import { languageModelling } from "../../dist/tasks/languageModelling.js";
import { sequenceClassification } from "../../dist/tasks/sequenceClassification.js";
import { train } from "../../dist/train/loop.js";
import { rng } from "../../dist/util/rng.js";

const [B, T, V] = [4, 8, 40];

const modelOf = (arch, config) => ({
  arch,
  config,
  weights: initialize(arch.params(config), 1),
  history: [],
});

/** Batches of random whole numbers; every token is read. */
const batchesOf = (objective) => (index) => {
  const r = rng(index, "batches");
  const types = {
    inputIds: { dtype: "int32", shape: [B, T] },
    ...objective.inputs({ batch: B, context: T, vocab: V }),
  };
  const values = (name, size) =>
    Array.from({ length: size }, () => (name === "attentionMask" ? 1 : r.int(name === "labels" ? 2 : V)));
  return Object.fromEntries(
    Object.entries(types).map(([name, { dtype, shape }]) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return [name, tensorOf(dtype, shape, values(name, size))];
    }),
  );
};

const subjects = {
  decoder: {
    objective: languageModelling,
    model: modelOf(gpt2, gpt2Config({ vocab_size: V, n_positions: T, n_embd: 16, n_layer: 1, n_head: 2 })),
  },
  classifier: {
    objective: sequenceClassification(),
    model: modelOf(
      bert,
      bertConfig({
        ...{ vocab_size: V, max_position_embeddings: T, hidden_size: 16, num_hidden_layers: 1 },
        ...{
          num_attention_heads: 2,
          intermediate_size: 32,
          architectures: ["BertForSequenceClassification"],
        },
        ...{ hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 },
      }),
    ),
  },
};

const { model: adapted, frozen } = methodOf(subjects.decoder.model, {
  ...defaults,
  seed: 1,
  adapter: { ...defaults.adapter, rank: 2 },
});
subjects.lora = { objective: languageModelling, model: adapted, frozen };

const run = async (engine, { objective, model, frozen }, how) => {
  const losses = [];
  const { model: trained } = await train(engine, model, batchesOf(objective), {
    ...{ objective, batch: B, context: T, steps: 4, schedule: () => 3e-3, clipNorm: 1, seed: 1 },
    optimizer: optimizers.adamw({ weightDecay: 0.1 }),
    ...(frozen === undefined ? {} : { frozen }),
    ...how,
    onRow: (row) => {
      losses.push(row.loss);
      how.onStep?.(row.step);
    },
  });
  const hash = createHash("sha256");
  for (const [path, { data }] of tensorsOf(trained.weights)) hash.update(path).update(data);
  return { losses, hash: hash.digest("hex") };
};

/** The decoder in micro-batches, each rank with some of its layers. */
const inLayers = (engine, how) => run(engine, subjects.decoder, { accumulate: 3, ...how });

const all = async (engine, how) => {
  const found = {};
  for (const [name, subject] of Object.entries(subjects)) found[name] = await run(engine, subject, how);
  return found;
};

const [lib, stop] = process.argv.slice(2);
const engine = await nodeEngine({ threads: 1 });
const launched = launcherIn(process.env);
if (launched === undefined) {
  const replicas = await all(engine, { stepper: dataParallel(threadTeam(2)) });
  const one = await all(engine, {});
  console.log(JSON.stringify({ one, replicas, micro: await inLayers(engine, {}) }));
} else {
  const world = await joinWorld({ launched, lib: lib === "-" ? undefined : lib, silenceSec: 2 });
  world.watch();
  const { rank } = world.collective;
  const stops = (step) => {
    if (stop && rank === 1 && step === 2) process.kill(process.pid, "SIGSTOP");
  };
  const found = await all(engine, { ...spmd(world.collective), onStep: stops });
  const layers = stop ? undefined : await inLayers(engine, pipeline(world.collective));
  const windows = await world.collective.windows(64);
  const shares = windows.every((window) => window !== undefined);
  // To a rank that is not there: an error to catch, not the end of the process.
  const { send, size } = world.collective;
  const refused = await send(size, new Float32Array(1)).catch(({ message }) => message);
  if (rank === 0) console.log(JSON.stringify({ version: world.version, shares, refused, found, layers }));
  await world.leave();
}
