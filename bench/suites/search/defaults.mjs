// The default space on two usual tasks, each by one command: a classifier of SST-2's sentences that is trained first, and an embedding
// model that is there (ANNEAL_REAL/minilm, on WikiText-2). What is kept of the start's figure, how many times as fast, which share of its bytes.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../../../bin/anneal.js", import.meta.url));

/** The result of `anneal optimize`; a budget that nothing meets has one too. */
const optimized = (args, log) => {
  try {
    const how = { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1e9 };
    return JSON.parse(execFileSync(process.execPath, [bin, "optimize", ...args, "--json"], how));
  } catch (error) {
    if (error.status !== 5) throw error;
    log("nothing met the budget: the nearest is judged");
    return JSON.parse(error.stdout);
  }
};

const judged = (name, { chosen, candidates }, log) => {
  const [start] = candidates;
  const winner = candidates.find((candidate) => candidate.name === chosen);
  const of = (candidate, figure) => candidate.figures[figure].value;
  const time = "node-cpu/p50Ms";
  log(`${name}: ${chosen}`);
  return {
    [`${name}Kept`]: of(winner, "kept"),
    [`${name}Speedup`]: of(start, time) / of(winner, time),
    [`${name}BytesShare`]: of(winner, "sizeBytes") / of(start, "sizeBytes"),
  };
};

const limits = (quality, share, faster) => [
  ...["--min-quality", String(quality), "--max-loss", "1", "--limit", `sizeBytes<=${share}x`],
  ...["--limit", `p50Ms<=${Number((1 / faster).toFixed(3))}x`],
];

/** `minutes` for each; what is trained and searched stays in `work`. */
export const defaults = ({ log, text, sst2, work, minutes }) => {
  const time = ["--time", `${minutes}m`];
  const labels = ["--data", sst2, "--columns", "text", "label", "--task", "classify"];
  const found = judged(
    "sst2",
    optimized([...labels, ...limits(0.98, 0.2, 4), ...time, "--out", join(work, "sst2")], log),
    log,
  );
  const minilm = join(process.env.ANNEAL_REAL ?? "", "minilm");
  if (!existsSync(minilm)) {
    log("no embedding model: ANNEAL_REAL names no folder with minilm");
    return found;
  }
  const given = [minilm, "--data", text, "--cut-vocab", ...limits(0.97, 0.25, 3), ...time];
  return { ...found, ...judged("embedding", optimized([...given, "--out", join(work, "minilm")], log), log) };
};
