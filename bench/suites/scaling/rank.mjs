// One process of `bench scaling`: takes steps on one process, on replicas or as a rank, and prints what it measured.
// Arguments as JSON: {"size", "how": "one" | "replicas" | "rank", "threads", "steps", "lib"}.
import { createHash } from "node:crypto";
import { dataParallel } from "../../../dist/distribute/dataParallel.js";
import { spmd } from "../../../dist/distribute/spmd.js";
import { tensorOf } from "../../../dist/ir/tensor.js";
import { gpt2, gpt2Config } from "../../../dist/models/decoders/gpt2.js";
import { countParams, initialize } from "../../../dist/nn/param.js";
import { launcherIn } from "../../../dist/node/mpi/launcher.js";
import { loadMpi } from "../../../dist/node/mpi/library.js";
import { joinWorld } from "../../../dist/node/mpi/world.js";
import { threadTeam } from "../../../dist/node/ranks/threadTeam.js";
import { nodeEngine } from "../../../dist/node/runtime/engine.js";
import { adamw } from "../../../dist/optim/adamw.js";
import { languageModelling } from "../../../dist/tasks/languageModelling.js";
import { stepper } from "../../../dist/train/stepper.js";
import { rng } from "../../../dist/util/rng.js";

const { size, how, threads, steps, lib } = JSON.parse(process.argv[2]);
const { vocab, width, layers, heads, context, batch } = size;

const shape = { vocab_size: vocab, n_positions: context, n_embd: width, n_layer: layers, n_head: heads };
const config = gpt2Config(shape);
const model = { arch: gpt2, config, weights: initialize(gpt2.params(config), 1), history: [] };
const feedsOf = (step) => {
  const r = rng(step, "scaling");
  const n = batch * context;
  const ids = Array.from({ length: n }, () => r.int(vocab));
  return {
    inputIds: tensorOf("int32", [batch, context], ids),
    labels: tensorOf("int32", [n], [...ids.slice(1), ids[0]]),
    seed: tensorOf("int32", [], [0]),
  };
};

const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];

/** The world, and the milliseconds that have passed in its exchanges. */
const joined = async () => {
  const launched = launcherIn(process.env);
  const world = await joinWorld({ launched, lib });
  let spent = 0;
  const exchange = async (...given) => {
    const start = performance.now();
    const back = await world.collective.exchange(...given);
    spent += performance.now() - start;
    return back;
  };
  return { world, collective: { ...world.collective, exchange }, spent: () => spent, launched };
};

/** Milliseconds of an exchange that gathers and spreads `count` numbers, and of the library's own all-reduce. */
const allReduces = async ({ world, launched }, count, rounds = 15) => {
  const { collective } = world;
  const part = Math.floor(count / collective.size);
  const parts = () => Array.from({ length: collective.size }, () => [new Float32Array(part).fill(1)]);
  const [given, room, fresh] = [parts(), parts(), parts()];
  const ours = [];
  const theirs = [];
  const mpi = await loadMpi({ lib, launched });
  const [from, to] = [new Float32Array(count).fill(1), new Float32Array(count)];
  for (let k = 0; k < rounds; k++) {
    let start = performance.now();
    await collective.exchange(given, room);
    const own = given[collective.rank][0];
    for (const [r, [data]] of room.entries()) {
      if (r !== collective.rank) for (let i = 0; i < part; i++) own[i] += data[i];
    }
    await collective.exchange(
      fresh.map(() => [own]),
      fresh,
    );
    ours.push(performance.now() - start);
    start = performance.now();
    mpi.allReduce(from, to);
    theirs.push(performance.now() - start);
  }
  return { oursMs: median(ours), theirsMs: median(theirs) };
};

const engine = await nodeEngine({ threads });
const ranks = how === "rank" ? await joined() : undefined;
const make = ranks
  ? spmd(ranks.collective).stepper
  : how === "replicas"
    ? dataParallel(threadTeam(2))
    : stepper;
const trains = await make(engine, model, {
  ...{ batch, context, clipNorm: 1, optimizer: adamw({ weightDecay: 0.1 }), objective: languageModelling },
});
const [losses, times, shares] = [[], [], []];
for (let step = 1; step <= steps; step++) {
  const feeds = feedsOf(step);
  const [start, before] = [performance.now(), ranks?.spent() ?? 0];
  losses.push((await trains.run([feeds], 1e-3, step)).loss);
  const took = performance.now() - start;
  times.push(took);
  if (ranks) shares.push((ranks.spent() - before) / took);
}
const hash = createHash("sha256");
for (const [path, { data }] of trains.weights()) hash.update(path).update(data);
await trains.dispose();
const found = {
  params: countParams(model.weights),
  losses,
  hash: hash.digest("hex"),
  stepMs: median(times.slice(2)),
  ...(ranks ? { communicationShare: median(shares.slice(2)), rank: ranks.collective.rank } : {}),
  ...(ranks ? await allReduces(ranks, countParams(model.weights)) : {}),
};
console.log(JSON.stringify(found));
await ranks?.world.leave();
