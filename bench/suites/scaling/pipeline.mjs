// A model that one rank's memory does not hold, in layers on four, and the speed of two ranks that have a half each: the
// parts "pipeline" and "pipelineSpeed" of `bench scaling`.
import { limited } from "./limit.mjs";
import { launchers, median, run } from "./run.mjs";

const size = { vocab: 8192, width: 512, layers: 12, heads: 8, context: 64, batch: 1 };
const RANKS = 4;
const { lib } = launchers.openmpi;
const MB = 1e6;

/** Whether it comes to its end with as much memory. */
const survives = (bytes, count, log) => {
  const limits = limited({ bytes, count, log });
  if (limits === undefined) return undefined;
  try {
    const launcher = count > 1 ? { words: launchers.openmpi.words } : undefined;
    return run("pipelineRank.mjs", { size, steps: 2, accumulate: 4, lib }, launcher, count, limits.words);
  } catch {
    return undefined;
  } finally {
    limits.end();
  }
};

/** Losses of four ranks against one process, the most memory of each, and what a limit between the two makes of both. */
export const pipeline = (log) => {
  const how = { size, steps: 2, accumulate: 4, lib };
  const [one] = run("pipelineRank.mjs", how);
  const ranks = run("pipelineRank.mjs", how, launchers.openmpi, RANKS);
  const most = Math.max(...ranks.map(({ peak }) => peak));
  const errors = ranks.flatMap(({ losses }) => losses.map((loss, i) => Math.abs(loss / one.losses[i] - 1)));
  const mb = (bytes) => `${(bytes / MB).toFixed(0)} MB`;
  const params = `${(one.params / 1e6).toFixed(1)} M params`;
  log(`${params}: ${mb(one.peak)} in one process, at most ${mb(most)} in one of ${RANKS}`);
  const limit = (most + one.peak) / 2;
  const [alone, together] = [survives(limit, 1, log), survives(limit, RANKS, log)];
  const ends = (found) => (found ? "come to an end" : "do not");
  log(`with ${mb(limit)}: one process: ${ends(alone)}, ${RANKS} ranks: ${ends(together)}`);
  return {
    pipelineMemoryShare: most / one.peak,
    pipelineLossError: Math.max(...errors),
    pipelineFits: together && !alone ? 1 : 0,
  };
};

const fast = { vocab: 4096, width: 352, layers: 6, heads: 8, context: 128, batch: 1 };
const [ROUNDS, MICRO] = [3, 8];

/**
 * An update on two ranks of one thread against one process of one thread, in turns; beside it what is possible: two ranks
 * are busy for all but the filling and emptying of the pipeline.
 */
export const pipelineSpeed = (log) => {
  const how = { size: fast, steps: 5, accumulate: MICRO, recompute: false, lib };
  const [ones, twos] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    ones.push(run("pipelineRank.mjs", how)[0].stepMs);
    const ranks = run("pipelineRank.mjs", how, launchers.openmpi, 2);
    twos.push(Math.max(...ranks.map(({ stepMs }) => stepMs)));
  }
  const [one, two] = [median(ones), median(twos)];
  log(`${MICRO} micro-batches: one process ${one.toFixed(0)} ms, two ranks ${two.toFixed(0)} ms`);
  const bound = (2 * MICRO) / (MICRO + 1);
  return { pipelineOverOne: one / two, pipelineOverBound: one / two / bound };
};
