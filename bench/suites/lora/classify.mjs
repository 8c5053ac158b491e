// The encoder's half of `bench lora`, as a user's commands: a BERT of 2 layers, 128 wide, learns hidden words of captions and reviews,
// and is tuned to tell which reviews praise (SST-2's sentences) with all weights, with adapters, and with adapters over 4 bits.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

const bin = fileURLToPath(new URL("../../../bin/anneal.js", import.meta.url));
const anneal = (words) =>
  execFileSync(process.execPath, [bin, ...words], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 2 ** 28,
  });

/** Rates that are tried, on a seed that nothing else is measured by. */
const RATES = { full: [3e-4, 1e-3, 3e-3], lora: [1e-3, 3e-3, 1e-2] };
const [TRIED, ...SEEDS] = [99, 1, 2, 3];
const ways = {
  full: [],
  lora: ["--lora", "2"],
  qlora: ["--lora", "2", "--base-bits", "4"],
};

/** The pre-trained model's folder, made once. */
const baseIn = (dir, { data, steps, threads }) => {
  const out = join(dir, "base");
  if (existsSync(join(out, "model"))) return join(out, "model");
  const texts = join(dir, "texts");
  mkdirSync(texts, { recursive: true });
  const captions = gunzipSync(readFileSync(join(data, "multi30k.train.en.gz")))
    .toString()
    .slice(0, 800_000);
  const reviews = readFileSync(join(data, "sst2.train.tsv"), "utf8").replaceAll(/\t\d$/gm, " .");
  writeFileSync(join(texts, "captions.txt"), captions);
  writeFileSync(join(texts, "reviews.txt"), reviews);
  const shape = ["--layers", "2", "--width", "128", "--heads", "4", "--context", "64", "--vocab", "1024"];
  const learns = [
    "--steps",
    String(steps),
    "--batch",
    "32",
    "--optimizer",
    "muon",
    "--lr",
    "1e-2",
    "--near",
    "off",
  ];
  anneal(["train", "--family", "bert", "--data", texts, "--out", out, ...shape, ...learns, ...threads, "-q"]);
  return join(out, "model");
};

const mean = (xs) => xs.reduce((a, b) => a + b, 0) / xs.length;
const spread = (xs) => Math.max(...xs) - Math.min(...xs);

/**
 * Held-out losses in nats, means of three seeds: of all weights, of adapters beside it, over 4 bits beside those; the share of weights
 * that adapters train; what merging and rounding leave of the gain.
 */
export const classify = ({ log, data, dir, steps, threads }) => {
  const base = baseIn(dir, { data, steps, threads });
  const tune = (way, lr, seed) => {
    const out = join(dir, `${way}-${lr}-${seed}`);
    const told = join(out, "told.json");
    if (existsSync(told)) return JSON.parse(readFileSync(told, "utf8"));
    const records = ["--data", join(data, "sst2.train.tsv"), "--columns", "text", "label"];
    const how = ["--lr", String(lr), "--seed", String(seed), "--epochs", "3", "--batch", "32"];
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
    log(`bert, ${way}: ${rates.map((lr, i) => `${losses[i].toFixed(4)} at ${lr}`).join(", ")}`);
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
    log(`bert, seed ${seed}: ${losses.join(", ")}`);
  }
  const loss = (way) => mean(found[way].map(({ valLoss }) => valLoss));
  const kept = (dtype) => Math.min(...found.lora.map(({ gain }) => gain.merged[dtype].share));
  const bytes = (path) => statSync(path).size;
  const adapter = join(dir, `lora-${best.lora}-${SEEDS[0]}`, "adapter", "adapter_model.safetensors");
  return {
    bertLoraTrainedShare: bytes(adapter) / bytes(join(base, "model.safetensors")),
    bertBefore: mean(found.lora.map(({ gain }) => gain.before)),
    bertFull: loss("full"),
    bertLoraOverFull: loss("lora") - loss("full"),
    bertInt4OverFp32: loss("qlora") - loss("lora"),
    bertSeedSpread: Math.max(...Object.values(found).map((all) => spread(all.map(({ valLoss }) => valLoss)))),
    bertKeptQ8: kept("q8"),
    bertKeptQ4: kept("q4"),
  };
};
