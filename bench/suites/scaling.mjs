// Training over MPI against one process and against replicas on threads: losses of 1, 2 and 4 ranks, the time of a step at
// 10 M params, memory, slow links, fewer bits, large batches. Each measures in a process of its own, in turns. Needs Open
// MPI, and MPICH for the losses. Parts by name: npm run -s bench -- scaling exactness restarts speed memory pipeline
// pipelineSpeed slow overlap lossy wire lamb.
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lamb } from "./scaling/lamb.mjs";
import { memory } from "./scaling/memory.mjs";
import { pipeline, pipelineSpeed } from "./scaling/pipeline.mjs";
import { restarts } from "./scaling/restarts.mjs";
import { launchers, median, run } from "./scaling/run.mjs";
import { lossy, overlap, slow, wire } from "./scaling/slow.mjs";
import { subjects } from "./scaling/subjects.mjs";

const small = { vocab: 256, width: 64, layers: 2, heads: 4, context: 32, batch: 8 };
const large = { vocab: 4096, width: 352, layers: 6, heads: 8, context: 128, batch: 8 };
const ROUNDS = 3;

/** Milliseconds of an all-reduce of `count` numbers by a C program on the same library. */
const allReduceInC = (dir, launcher, count) => {
  const [file, ...words] = launcher.words;
  const args = [...words, "-n", "2", join(dir, "allReduce"), String(count), "15"];
  return JSON.parse(execFileSync(file, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }))
    .theirsMs;
};

/** Compiles the C program; undefined where there is no compiler of the library's. */
const compiled = (log) => {
  const dir = mkdtempSync(join(tmpdir(), "anneal-bench-"));
  const source = fileURLToPath(new URL("scaling/allReduce.c", import.meta.url));
  try {
    execFileSync("mpicc.openmpi", ["-O3", "-o", join(dir, "allReduce"), source], { stdio: "ignore" });
    return dir;
  } catch {
    log("no mpicc.openmpi: allReduceOverC is left out");
    return undefined;
  }
};

const relError = (a, b) => Math.max(...a.map((loss, i) => Math.abs(loss / b[i] - 1)));

/** Losses of 20 steps on 1, 2 and 4 ranks, and whether ranks have the bits of as many replicas: of each subject. */
const exactness = (log) => {
  let [lossRelError, bitEqual] = [0, 1];
  for (const subject of Object.keys(subjects)) {
    const how = { size: small, threads: 1, steps: 20, subject };
    const [one] = run("rank.mjs", { ...how, how: "one" });
    const replicas = [2, 4].map((count) => run("rank.mjs", { ...how, how: "replicas", replicas: count })[0]);
    for (const [name, launcher] of Object.entries(launchers)) {
      for (const [i, count] of [2, 4].entries()) {
        const ranks = run("rank.mjs", { ...how, how: "rank", lib: launcher.lib }, launcher, count);
        const error = Math.max(...ranks.map(({ losses }) => relError(losses, one.losses)));
        lossRelError = Math.max(lossRelError, error);
        const same = ranks.every(({ hash }) => hash === replicas[i].hash);
        if (!same) bitEqual = 0;
        const said = `losses within ${error.toExponential(1)}, bits ${same ? "equal" : "differ"}`;
        log(`${name}, ${subject}, ${count} ranks: ${said}`);
      }
    }
  }
  return { lossRelError, bitEqual };
};

const sum = (xs) => xs.reduce((a, b) => a + b, 0);

/**
 * Milliseconds of a step's exchanges in which all ranks are there: from when the last has come until the last
 * has left. What a rank waits before that is skew, and the others' computing.
 */
const togetherMs = (ranks, step) =>
  sum(
    ranks[0].exchanges[step].map((_, k) => {
      const times = ranks.map(({ exchanges }) => exchanges[step][k]);
      return Math.max(...times.map(([, left]) => left)) - Math.max(...times.map(([came]) => came));
    }),
  );

/** Milliseconds of a step in which a rank waits for those that have not come yet: the mean of all. */
const waitingMs = (ranks, step) =>
  sum(
    ranks[0].exchanges[step].flatMap((_, k) => {
      const came = ranks.map(({ exchanges }) => exchanges[step][k][0]);
      return came.map((own) => (Math.max(...came) - own) / ranks.length);
    }),
  );

/** Medians over all steps but the first two, by which kernels are warm. */
const sharesOf = (ranks) => {
  const steps = ranks[0].times.map((_, step) => step).slice(2);
  const share = (msOf) =>
    median(steps.map((step) => msOf(ranks, step) / Math.max(...ranks.map(({ times }) => times[step]))));
  return { moving: share(togetherMs), waiting: share(waitingMs) };
};

const speed = (log) => {
  const how = { size: large, steps: 7 };
  const launcher = launchers.openmpi;
  const ways = {
    oneThread: () => run("rank.mjs", { ...how, how: "one", threads: 1 }),
    twoThreads: () => run("rank.mjs", { ...how, how: "one", threads: 2 }),
    replicas: () => run("rank.mjs", { ...how, how: "replicas", threads: 2 }),
    ranks: () =>
      run("rank.mjs", { ...how, how: "rank", timed: true, threads: 1, lib: launcher.lib }, launcher, 2),
  };
  const times = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  const [shares, reductions, dir] = [[], [], compiled(log)];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, take] of Object.entries(ways)) {
      const found = take();
      times[name].push(Math.max(...found.map(({ stepMs }) => stepMs)));
      if (name !== "ranks") continue;
      shares.push(sharesOf(found));
      if (dir === undefined) continue;
      const theirs = allReduceInC(dir, launcher, found[0].params);
      reductions.push(theirs / Math.max(...found.map(({ oursMs }) => oursMs)));
    }
  }
  const ms = Object.fromEntries(Object.entries(times).map(([name, all]) => [name, median(all)]));
  log(
    Object.entries(ms)
      .map(([name, t]) => `${name} ${t.toFixed(0)} ms`)
      .join(", "),
  );
  return {
    stepMs: ms.ranks,
    twoRanksOverOne: ms.oneThread / ms.ranks,
    twoRanksOverTwoThreads: ms.twoThreads / ms.ranks,
    twoRanksOverReplicas: ms.replicas / ms.ranks,
    communicationShare: median(shares.map(({ moving }) => moving)),
    waitingShare: median(shares.map(({ waiting }) => waiting)),
    ...(dir === undefined ? {} : { allReduceOverC: median(reductions) }),
  };
};

export default async function scaling({ log, args }) {
  const parts = {
    exactness,
    restarts,
    speed,
    memory,
    pipeline,
    pipelineSpeed,
    slow,
    overlap,
    lossy,
    wire,
    lamb,
  };
  const asked = args.length === 0 ? Object.keys(parts) : args;
  const found = {};
  for (const name of asked) Object.assign(found, await parts[name](log));
  return found;
}
