// One process of `bench scaling`: trains a small decoder on the letters of Shakespeare, by itself or as a rank of MPI,
// and prints its held-out loss, the time of its steps and the bytes that it has sent. Arguments as JSON: {"size", "steps",
// "lr", "optimizer", "warmup", "wire", "every", "overlap", "outerLr", "outerMomentum", "zero",
// "seed", "lib", "evaluates", "copies", "ranks"}; "ranks": so many in this process; "from", "saves": files of weights.
import { readFileSync, writeFileSync } from "node:fs";
import { deserialize, serialize } from "node:v8";
import { batches, evalBatches } from "../../../dist/data/index.js";
import { localSteps } from "../../../dist/distribute/localSteps.js";
import { spmd } from "../../../dist/distribute/spmd.js";
import { tensorOf } from "../../../dist/ir/tensor.js";
import { gpt2, gpt2Config } from "../../../dist/models/decoders/gpt2.js";
import { countParams, initialize, tensorsOf, withTensors } from "../../../dist/nn/param.js";
import { launcherIn } from "../../../dist/node/mpi/launcher.js";
import { joinWorld } from "../../../dist/node/mpi/world.js";
import { nodeEngine } from "../../../dist/node/runtime/engine.js";
import { optimizers } from "../../../dist/optim/index.js";
import { scheduleOf } from "../../../dist/optim/schedule.js";
import { defaults } from "../../../dist/recipes/config/options.js";
import { train } from "../../../dist/train/loop.js";
import { dataFile } from "../../texts.mjs";
import { localRanks } from "./local.mjs";
import { tell } from "./tell.mjs";

const given = JSON.parse(process.argv[2]);
const {
  size,
  steps,
  lr,
  optimizer = "adamw",
  warmup = 0,
  wire = "float32",
  every = 0,
  overlap = 0,
  seed = 1,
} = given;
const {
  lib,
  evaluates = true,
  ranks = 1,
  copies = false,
  zero = 1,
  outerLr = defaults.train.outerLr,
  outerMomentum = defaults.train.outerMomentum,
} = given;
const { from, saves } = given;
const { width, layers, heads, context, batch } = size;

const text = readFileSync(dataFile("tinyshakespeare.txt"), "utf8");
const letters = [...new Set(text)].sort();
const ids = new Map(letters.map((letter, i) => [letter, i]));
const tokens = Uint32Array.from(text, (letter) => ids.get(letter));
const cut = Math.floor(tokens.length * 0.97);
const heldOut = { tokens: tokens.subarray(cut), batch: 32, context };

const feedsOf = ({ inputIds, labels }) => ({
  inputIds: tensorOf("int32", [inputIds.length / context, context], inputIds),
  labels: tensorOf("int32", [labels.length], labels),
});
const at = batches({ tokens: tokens.subarray(0, cut), batch, context, seed });
const vocab = size.vocab ?? letters.length;
const shape = { vocab_size: vocab, n_positions: context, n_embd: width, n_layer: layers, n_head: heads };
const config = gpt2Config(shape);
const fresh = initialize(gpt2.params(config), seed);
const weights = from === undefined ? fresh : withTensors(fresh, deserialize(readFileSync(from)));
const model = { arch: gpt2, config, weights, history: [] };

const launched = launcherIn(process.env);
const world = launched === undefined ? undefined : await joinWorld({ launched, lib });
const engine = await nodeEngine({ threads: 1 });

/** How steps are taken on a collective, whose bytes are counted; without memory in common where all are to be sent. */
const together = ({ windows, ...collective }, sends) => {
  const counting = {
    ...collective,
    ...(copies || windows === undefined ? {} : { windows }),
    exchange(parcels, room) {
      for (const [r, parcel] of parcels.entries()) {
        if (r !== collective.rank) for (const data of parcel) sends(data.byteLength);
      }
      return collective.exchange(parcels, room);
    },
  };
  if (every === 0) return spmd(counting, { wire, zero });
  return localSteps(counting, { every, overlap, steps, wire, outerLr, outerMomentum });
};

/** One rank's training, or that of a process alone. */
const trained = async (collective) => {
  const times = [];
  let [sent, before, last] = [0, 0, performance.now()];
  const sends = (bytes) => {
    sent += bytes;
  };
  const { valLoss, model: made } = await train(engine, model, (index) => feedsOf(at(index)), {
    ...{ batch, context, steps, clipNorm: 1, seed },
    optimizer: optimizers[optimizer]({ weightDecay: 0.1 }),
    schedule: scheduleOf({ kind: "cosine", lrPeak: lr, lrMin: lr / 10, warmup, steps }),
    ...(evaluates ? { validation: evalBatches(heldOut).map(feedsOf) } : {}),
    ...(collective === undefined ? {} : together(collective, sends)),
    onRow({ loss }) {
      if (loss === undefined) return;
      times.push([performance.now() - last, sent - before]);
      [last, before] = [performance.now(), sent];
    },
  });
  if (saves !== undefined) writeFileSync(saves, serialize(new Map(tensorsOf(made.weights))));
  // Whole rounds between meetings, from when the first has come, by which all is warm; the last is waited for.
  const first = every > 0 ? every + overlap : 2;
  const rounds = every > 0 ? Math.max(1, Math.floor((steps - 1 - first) / every)) * every : steps;
  const counted = times.slice(first, first + rounds);
  const mean = (k) => counted.reduce((sum, time) => sum + time[k], 0) / counted.length;
  const rank = collective?.rank ?? 0;
  const [stepMs, stepBytes] = [mean(0), mean(1)];
  // Most steps wait for nobody where ranks meet seldom.
  const alone = counted.map(([ms]) => ms).toSorted((a, b) => a - b)[counted.length >> 1];
  return { params: countParams(model.weights), valLoss, stepMs, aloneMs: alone, stepBytes, rank };
};

const here = ranks > 1 ? localRanks(ranks) : [world?.collective];
for (const found of await Promise.all(here.map(trained))) tell(found);
await world?.leave();
