// The encoder's half of `bench lora`, as a user's commands on a checkpoint that people have: all-MiniLM-L6-v2 (ANNEAL_REAL/minilm) is tuned
// to tell which sentences of SST-2 praise, with all weights, with adapters, and with adapters over 4 bits.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../../../bin/anneal.js", import.meta.url));
const anneal = (words) =>
  execFileSync(process.execPath, [bin, ...words], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 2 ** 28,
  });

/** Rates that are tried, on a seed that nothing else is measured by. */
const RATES = { full: [5e-5, 1e-4, 2e-4], lora: [5e-4, 1e-3, 2e-3] };
const [TRIED, ...SEEDS] = [99, 1, 2, 3];
const ways = {
  full: [],
  lora: ["--lora", "6"],
  qlora: ["--lora", "6", "--base-bits", "4"],
};

/** Sentences that are learnt from; a tenth of them is held out. */
const SENTENCES = 1500;

const mean = (xs) => xs.reduce((a, b) => a + b, 0) / xs.length;
const spread = (xs) => Math.max(...xs) - Math.min(...xs);

/**
 * Held-out losses in nats, means of three seeds: of all weights, of adapters beside it, over 4 bits beside those; the share of weights
 * that adapters train; what merging and rounding leave of the gain.
 */
export const classify = ({ log, data, dir, base, threads }) => {
  mkdirSync(dir, { recursive: true });
  const sentences = join(dir, "sentences.tsv");
  const lines = readFileSync(join(data, "sst2.train.tsv"), "utf8").split("\n").slice(0, SENTENCES);
  writeFileSync(sentences, `${lines.join("\n")}\n`);
  const tune = (way, lr, seed) => {
    const out = join(dir, `${way}-${lr}-${seed}`);
    const told = join(out, "told.json");
    if (existsSync(told)) return JSON.parse(readFileSync(told, "utf8"));
    const records = ["--data", sentences, "--columns", "text", "label", "--task", "sequence-classification"];
    const how = ["--lr", String(lr), "--seed", String(seed), "--epochs", "1", "--batch", "16"];
    const words = [
      "finetune",
      base,
      ...records,
      "--out",
      out,
      ...ways[way],
      ...how,
      ...threads,
      "--json",
      "-q",
    ];
    const found = JSON.parse(anneal(words));
    writeFileSync(told, JSON.stringify(found));
    return found;
  };
  const best = {};
  for (const [way, rates] of Object.entries(RATES)) {
    const losses = rates.map((lr) => tune(way, lr, TRIED).valLoss);
    best[way] = rates[losses.indexOf(Math.min(...losses))];
    log(`minilm, ${way}: ${rates.map((lr, i) => `${losses[i].toFixed(4)} at ${lr}`).join(", ")}`);
  }
  best.qlora = best.lora;
  const found = Object.fromEntries(
    Object.keys(ways).map((way) => [way, SEEDS.map((seed) => tune(way, best[way], seed))]),
  );
  for (const [i, seed] of SEEDS.entries()) {
    const losses = Object.entries(found).map(([way, all]) => {
      const { valLoss, figure } = all[i];
      return `${way} ${valLoss.toFixed(4)} (${figure.value.toFixed(3)})`;
    });
    log(`minilm, seed ${seed}: ${losses.join(", ")}`);
  }
  const loss = (way) => mean(found[way].map(({ valLoss }) => valLoss));
  const kept = (dtype) => Math.min(...found.lora.map(({ gain }) => gain.merged[dtype].share));
  const bytes = (path) => statSync(path).size;
  const adapter = join(dir, `lora-${best.lora}-${SEEDS[0]}`, "adapter", "adapter_model.safetensors");
  return {
    minilmLoraTrainedShare: bytes(adapter) / bytes(join(base, "model.safetensors")),
    minilmBefore: mean(found.lora.map(({ gain }) => gain.before)),
    minilmFull: loss("full"),
    minilmLoraOverFull: loss("lora") - loss("full"),
    minilmInt4OverFp32: loss("qlora") - loss("lora"),
    minilmSeedSpread: Math.max(
      ...Object.values(found).map((all) => spread(all.map(({ valLoss }) => valLoss))),
    ),
    minilmKeptQ8: kept("q8"),
    minilmKeptQ4: kept("q4"),
  };
};
