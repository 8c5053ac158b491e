// The default space on two usual tasks, each by one command: a classifier of SST-2's sentences, a BERT of six layers that is trained here,
// and an embedding model that is there (ANNEAL_REAL/minilm, on WikiText-2). What is kept of the start's figure, how many times as fast, which
// share of its bytes. What was begun in `work` is gone on with, for `minutes` more.
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

/** Runs a verb that writes `out`/model, unless it is there; goes on where it was stopped. */
const made = (out, args) => {
  const model = join(out, "model");
  const resume = existsSync(join(out, "run", "checkpoints", "latest")) ? ["--resume"] : [];
  const all = [...args, "--out", out, ...resume];
  if (!existsSync(model))
    execFileSync(process.execPath, [bin, ...all], { stdio: ["ignore", "ignore", "inherit"] });
  return model;
};

const LABELLED = ["--columns", "text", "label", "--task", "classify"];

/** A classifier of six layers, which learns as that of `bench finetune` does. */
const classifier = (sst2, work) => {
  const asItIs = ["--field", "#1", "--rules", "none", "--near", "off", "--lines", "off", "--vocab", "8000"];
  const shape = ["--family", "bert", "--layers", "6", "--width", "64", "--context", "64"];
  const read = [
    "--steps",
    "20",
    "--batch",
    "32",
    "--optimizer",
    "adamw",
    "--lr",
    "1e-3",
    "--schedule",
    "linear",
  ];
  const body = made(join(work, "body"), ["train", "--data", sst2, ...asItIs, ...shape, ...read]);
  const linear = ["--linear-start", "--linear-teacher", "4"];
  return made(join(work, "classifier"), [
    ...["finetune", body, "--data", sst2, ...LABELLED, ...linear],
    ...["--epochs", "1", "--batch", "32", "--lr", "1e-3", "--ema", "0.998"],
  ]);
};

/** `minutes` for each; what is trained and searched stays in `work`. */
export const defaults = ({ log, text, sst2, work, minutes, only = ["sst2", "embedding"] }) => {
  const search = (name, args) => {
    const out = join(work, name);
    const resume = existsSync(join(out, "run", "search")) ? ["--resume"] : [];
    const how = ["--time", `${Math.round(60 * minutes)}s`, "--out", out, ...resume];
    return judged(name, optimized([...args, ...how], log), log);
  };
  const found = {};
  if (only.includes("sst2")) {
    const given = [classifier(sst2, work), "--data", sst2, ...LABELLED, ...limits(0.98, 0.2, 4)];
    Object.assign(found, search("sst2", given));
  }
  const minilm = join(process.env.ANNEAL_REAL ?? "", "minilm");
  if (!existsSync(minilm)) log("no embedding model: ANNEAL_REAL names no folder with minilm");
  else if (only.includes("embedding")) {
    Object.assign(
      found,
      search("embedding", [minilm, "--data", text, "--cut-vocab", ...limits(0.97, 0.25, 3)]),
    );
  }
  return found;
};
