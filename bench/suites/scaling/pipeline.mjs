// A model that one rank's memory does not hold, in layers on four: the part "pipeline" of `bench scaling`.
import { limited } from "./limit.mjs";
import { launchers, run } from "./run.mjs";

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
