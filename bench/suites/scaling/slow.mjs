// Training over a slow link, and what fewer bits and fewer meetings cost: the parts "slow" and "wire" of `bench scaling`.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { link } from "./link.mjs";
import { launchers, median, run } from "./run.mjs";

/** Steps from one meeting to the next: with a byte a number instead of four, a hundredth of the bytes and less. */
const EVERY = 30;
const { lib } = launchers.openmpi;
const local = { every: EVERY, wire: "int8" };

/** 2 ranks, each behind 100 Mbit/s: the time of a step and the bytes that a rank sends in it. */
export const slow = async (log) => {
  const laid = await link({ rate: "100mbit", log });
  if (laid === undefined) return {};
  const size = { width: 160, layers: 4, heads: 4, context: 32, batch: 4, vocab: 512 };
  const same = { size, lr: 1e-3, lib, evaluates: false };
  try {
    const [plain] = run("train.mjs", { ...same, steps: 10 }, laid, 2);
    const [met] = run("train.mjs", { ...same, ...local, steps: 3 * EVERY }, laid, 2);
    for (const [name, { stepMs, stepBytes }] of Object.entries({ plain, met })) {
      log(
        `${name}: ${plain.params} params, ${stepMs.toFixed(0)} ms and ${Math.round(stepBytes)} bytes a step`,
      );
    }
    return {
      localStepsSpeedup: plain.stepMs / met.stepMs,
      localStepsBytesShare: met.stepBytes / plain.stepBytes,
    };
  } finally {
    laid.end();
  }
};

/** By how much steps are faster where all of them overlap with meetings, behind 10 and behind 100 Mbit/s: in turns. */
export const overlap = async (log) => {
  const size = { width: 160, layers: 4, heads: 4, context: 32, batch: 4, vocab: 512 };
  const same = { size, lr: 1e-3, lib, evaluates: false, ...local, steps: 5 * EVERY };
  const found = {};
  for (const rate of [10, 100]) {
    const laid = await link({ rate: `${rate}mbit`, log });
    if (laid === undefined) return {};
    const times = { waits: [], overlaps: [] };
    try {
      for (let round = 0; round < 3; round++) {
        times.waits.push(run("train.mjs", same, laid, 2)[0].stepMs);
        times.overlaps.push(run("train.mjs", { ...same, overlap: EVERY }, laid, 2)[0].stepMs);
      }
    } finally {
      laid.end();
    }
    const told = Object.entries(times).map(
      ([name, all]) => `${name} ${all.map((ms) => ms.toFixed(0)).join(", ")}`,
    );
    log(`${rate} Mbit/s, ms a step: ${told.join("; ")}`);
    found[`overlapSpeedup${rate}Mbit`] = median(times.waits) / median(times.overlaps);
  }
  return found;
};

/** 2 ranks over a link that loses a hundredth of all packets: what they come to, beside ranks without a link. */
export const lossy = async (log) => {
  const size = { width: 64, layers: 2, heads: 4, context: 32, batch: 4 };
  const same = { size, lr: 1e-3, steps: 20 };
  const laid = await link({ rate: "1gbit", lost: 0.01, log });
  if (laid === undefined) return {};
  try {
    const [over] = run("train.mjs", { ...same, lib }, laid, 2);
    log(`${laid.resent()} segments sent again`);
    const [near] = run("train.mjs", { ...same, ranks: 2 });
    for (const [name, { stepMs, valLoss }] of Object.entries({ over, near })) {
      log(`${name}: ${stepMs.toFixed(0)} ms a step, held-out loss ${valLoss.toFixed(6)}`);
    }
    return { lossyLossError: Math.abs(over.valLoss / near.valLoss - 1) };
  } finally {
    laid.end();
  }
};

/** Held-out loss at equal tokens, above that of 32 bits in each step, from weights that were trained before. */
export const wire = (log) => {
  const size = { width: 64, layers: 2, heads: 4, context: 64, batch: 16 };
  const dir = mkdtempSync(join(tmpdir(), "anneal-bench-"));
  const from = join(dir, "weights");
  run("train.mjs", { size, warmup: 20, steps: 1000, lr: 8e-3, saves: from, evaluates: false });
  const same = { size, from, warmup: 20, steps: 600, lr: 3e-3, seed: 2, ranks: 2 };
  const ways = {
    plain: {},
    float16Nats: { wire: "float16" },
    int8Nats: { wire: "int8" },
    localStepsNats: local,
    overlapNats: { ...local, overlap: EVERY / 6 },
    overlapAllNats: { ...local, overlap: EVERY },
    localSteps32Nats: { ...local, wire: "float32" },
    meanNats: { ...local, outerLr: 1, outerMomentum: 0 },
    paperNats: { ...local, outerLr: 0.7, outerMomentum: 0.9 },
  };
  const losses = Object.entries(ways).map(([name, own]) => {
    const [{ valLoss }] = run("train.mjs", { ...same, ...own });
    log(`${name}: held-out loss ${valLoss.toFixed(4)}`);
    return [name, valLoss];
  });
  rmSync(dir, { recursive: true, force: true });
  const [[, plain], ...others] = losses;
  return Object.fromEntries(others.map(([name, loss]) => [name, loss - plain]));
};
