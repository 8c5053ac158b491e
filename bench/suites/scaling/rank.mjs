// One process of `bench scaling`: takes steps on one process, on replicas or as a rank, and tells what it measured.
// Arguments as JSON: {"size", "how": "one" | "replicas" | "rank", "threads", "steps", "lib", "timed", "subject": "decoder" (usual) |
// "classifier" | "lora", "replicas"}.
import { createHash } from "node:crypto";
import { dataParallel } from "../../../dist/distribute/dataParallel.js";
import { spmd } from "../../../dist/distribute/spmd.js";
import { tensorOf } from "../../../dist/ir/tensor.js";
import { countParams } from "../../../dist/nn/param.js";
import { launcherIn } from "../../../dist/node/mpi/launcher.js";
import { joinWorld } from "../../../dist/node/mpi/world.js";
import { threadTeam } from "../../../dist/node/ranks/threadTeam.js";
import { nodeEngine } from "../../../dist/node/runtime/engine.js";
import { adamw } from "../../../dist/optim/adamw.js";
import { stepper } from "../../../dist/train/stepper.js";
import { numbersOf, subjects, typesOf } from "./subjects.mjs";
import { tell } from "./tell.mjs";

const {
  size,
  how,
  threads,
  steps,
  lib,
  timed = false,
  subject = "decoder",
  replicas = 2,
} = JSON.parse(process.argv[2]);
const { batch, context } = size;

const learns = subjects[subject](size);
const { model, objective, frozen } = learns;
const types = typesOf(learns, size);
const feedsOf = (step) => ({
  ...Object.fromEntries(
    numbersOf(step, types, size).map(([name, dtype, shape, values]) => [
      name,
      tensorOf(dtype, shape, values),
    ]),
  ),
  seed: tensorOf("int32", [], [0]),
});

const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];

/** Milliseconds of the clock that all processes of a machine share. */
const clock = () => Number(process.hrtime.bigint()) / 1e6;

/** The world, and when this rank came to each of its exchanges and left it. */
const joined = async () => {
  const launched = launcherIn(process.env);
  const world = await joinWorld({ launched, lib });
  const exchanges = [];
  const exchange = async (...given) => {
    const came = clock();
    const back = await world.collective.exchange(...given);
    exchanges.push([came, clock()]);
    return back;
  };
  return { world, collective: { ...world.collective, exchange }, exchanges };
};

/**
 * Milliseconds in which the ranks add up `count` numbers and all have the sums, as a step gathers and spreads them:
 * of one that shares its part of the numbers with the others, adds up its own part, and copies theirs.
 */
const allReduceMs = async (collective, count, rounds = 15) => {
  const { rank, size: ranks } = collective;
  const part = Math.floor(count / ranks);
  const windows = await collective.windows((count + part) * Float32Array.BYTES_PER_ELEMENT);
  const given = windows.map((window) => new Float32Array(window, rank * part * 4, part));
  const sums = windows.map((window) => new Float32Array(window, count * 4, part));
  const result = new Float32Array(count).fill(1);
  new Float32Array(windows[rank], 0, count).fill(1);
  const none = windows.map(() => []);
  const times = [];
  for (let k = 0; k < rounds; k++) {
    await collective.exchange(none);
    const start = performance.now();
    await collective.exchange(none);
    const own = sums[rank];
    own.set(given[0]);
    for (const data of given.slice(1)) for (let i = 0; i < part; i++) own[i] += data[i];
    await collective.exchange(none);
    for (const [r, data] of sums.entries()) result.set(data, r * part);
    times.push(performance.now() - start);
  }
  return median(times);
};

const engine = await nodeEngine({ threads });
const ranks = how === "rank" ? await joined() : undefined;
const make = ranks
  ? spmd(ranks.collective).stepper
  : how === "replicas"
    ? dataParallel(threadTeam(replicas))
    : stepper;
const trains = await make(engine, model, {
  ...{ batch, context, clipNorm: 1, optimizer: adamw({ weightDecay: 0.1 }), objective, frozen },
});
const [losses, times, exchanges] = [[], [], []];
for (let step = 1; step <= steps; step++) {
  const feeds = feedsOf(step);
  const start = performance.now();
  losses.push((await trains.run([feeds], 1e-3, step)).loss);
  times.push(performance.now() - start);
  // What comes in the last exchange is copied to where it is needed until the step ends.
  if (ranks) {
    const own = ranks.exchanges.splice(0);
    exchanges.push([...own.slice(0, -1), [own.at(-1)[0], clock()]]);
  }
}
const hash = createHash("sha256");
for (const [path, { data }] of trains.weights()) hash.update(path).update(data);
await trains.dispose();
const found = {
  params: countParams(model.weights),
  losses,
  hash: hash.digest("hex"),
  stepMs: median(times.slice(2)),
  ...(ranks ? { rank: ranks.collective.rank } : {}),
  ...(ranks && timed ? { times, exchanges } : {}),
  ...(ranks && timed
    ? { oursMs: await allReduceMs(ranks.world.collective, countParams(model.weights)) }
    : {}),
};
tell(found);
await ranks?.world.leave();
