// Every pass on every kind of model: what it writes is verified on node-cpu and web-wasm as a user does it (`anneal verify`), and loaded in
// transformers.js, whose numbers are compared with those of the folder's dense weights. Models are trained here on real texts (../shared/data): a
// GPT-2 and a Llama on tinyshakespeare, a BERT that is tuned on SST-2 and one on captions, a Marian on Multi30k, a T5 on tinyshakespeare.
// Arguments: --out DIR (bench/results/passes: what is there is not made again), --only KIND,KIND, --pass NAME,NAME, --threads N (1).
// Metrics: passesTried; of them passesVerified and passesLoaded. What fails is told by its name; exit code 1.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { dataFile, jsonLines, reviews } from "../texts.mjs";
import { passesOf } from "./passes/passes.mjs";
import { inTransformers } from "./passes/transformers.mjs";

const bin = fileURLToPath(new URL("../../bin/anneal.js", import.meta.url));
const TARGETS = ["node-cpu", "web-wasm"];

const option = (args, name, usual) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? usual : args[at + 1];
};

const run = (words) => {
  const how = { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 2 ** 28 };
  return execFileSync(process.execPath, [bin, ...words], how);
};

/** What a command that fails has said. */
const said = ({ stdout = "", stderr = "", message }) =>
  `${stdout}\n${stderr}`.trim().split("\n").slice(-3).join(" | ") || message;

const captions = (part, language) =>
  gunzipSync(readFileSync(dataFile(`multi30k.${part}.${language}.gz`)))
    .toString()
    .trimEnd()
    .split("\n")
    .slice(0, 3000);

/** Texts to learn from, in `dir`. */
const textsIn = (dir) => {
  const [english, german] = [captions("train", "en"), captions("train", "de")];
  const files = {
    plays: readFileSync(dataFile("tinyshakespeare.txt"), "utf8").slice(0, 300_000),
    reviews: jsonLines(reviews("sst2.train.tsv").slice(0, 1500)),
    sentences: reviews("sst2.train.tsv")
      .map(({ text }) => text)
      .join("\n"),
    captions: english.join("\n"),
    pairs: jsonLines(english.map((source, i) => ({ source, target: german[i] }))),
    aligned: jsonLines(english.map((anchor, i) => ({ anchor, positive: german[i] }))),
  };
  const ending = { plays: "txt", sentences: "txt", captions: "txt" };
  return Object.fromEntries(
    Object.entries(files).map(([name, text]) => {
      const path = join(dir, `${name}.${ending[name] ?? "jsonl"}`);
      writeFileSync(path, text);
      return [name, path];
    }),
  );
};

const asItIs = ["--rules", "none", "--near", "off", "--lines", "off"];
const shape = ["--layers", "4", "--width", "128", "--heads", "4", "--vocab", "2048", "--context", "64"];

/** How the models come to be, each by its folder's name: commands without --out, of the texts and of models before. */
const recipes = (texts, model) => ({
  gpt2: ["train", "--data", texts.plays, ...asItIs, ...shape, "--steps", "300"],
  llama: ["train", "--family", "llama", "--data", texts.plays, ...asItIs, ...shape, "--steps", "300"],
  body: ["train", "--family", "bert", "--data", texts.sentences, ...asItIs, ...shape, "--steps", "300"],
  bert: [
    "finetune",
    model("body"),
    "--data",
    texts.reviews,
    "--task",
    "classify",
    "--epochs",
    "3",
    "--lr",
    "5e-4",
  ],
  embedder: [
    "finetune",
    model("body"),
    "--data",
    texts.aligned,
    "--task",
    "embedding",
    "--epochs",
    "1",
    "--lr",
    "5e-4",
  ],
  marian: ["train", "--family", "marian", "--data", texts.pairs, ...asItIs, ...shape, "--steps", "300"],
  t5: ["train", "--family", "t5", "--data", texts.plays, ...asItIs, ...shape, "--steps", "300"],
});

/** What kinds read while they are made smaller. */
const reads = {
  ...{ gpt2: "plays", llama: "plays", bert: "reviews", embedder: "captions", marian: "pairs", t5: "plays" },
};

const verified = (folder, threads) => {
  const words = [
    "verify",
    folder,
    "--target",
    TARGETS.join(),
    "--count",
    "3",
    "--threads",
    threads,
    "--json",
  ];
  const { targets } = JSON.parse(run(words).trim().split("\n").at(-1));
  return TARGETS.every((target) => targets[target]?.status === "passed");
};

export default async ({ log, args }) => {
  const out = option(args, "out", fileURLToPath(new URL("../results/passes", import.meta.url)));
  const threads = option(args, "threads", "1");
  const [only, named] = [option(args, "only")?.split(","), option(args, "pass")?.split(",")];
  mkdirSync(out, { recursive: true });
  const texts = textsIn(out);
  const model = (name) => join(out, name, "model");
  const made = recipes(texts, model);
  const make = (name) => {
    if (existsSync(model(name))) return;
    log(`training ${name}`);
    run([...made[name], "--out", join(out, name), "--threads", threads, "--seed", "1", "-q"]);
  };
  const found = { passesTried: 0, passesVerified: 0, passesLoaded: 0 };
  const failed = [];
  for (const [kind, text] of Object.entries(reads).filter(([name]) => only?.includes(name) ?? true)) {
    for (const name of ["bert", "embedder"].includes(kind) ? ["body", kind] : [kind]) make(name);
    for (const [name, { words, folder }] of Object.entries(passesOf(kind))) {
      if (named !== undefined && !named.includes(name)) continue;
      const to = join(out, `${kind}-${name}`);
      const at = folder === undefined ? to : join(to, folder);
      found.passesTried++;
      const told = [];
      try {
        const [verb, ...rest] = words;
        const from = rest[0] === "--from" ? [rest.shift(), model(kind)] : [model(kind)];
        const given = [verb, ...from, "--data", texts[text], ...rest];
        if (!existsSync(at)) run([...given, "--out", to, "--threads", threads]);
        if (verified(at, threads)) found.passesVerified++;
        else told.push("does not pass verify");
      } catch (error) {
        told.push(said(error));
      }
      try {
        const each = await inTransformers(at);
        const bad = each.filter(({ cosine, least }) => !(cosine > least));
        if (bad.length === 0 && each.length > 0) found.passesLoaded++;
        else told.push(`transformers.js: ${JSON.stringify(bad)}`);
        log(
          `${kind} ${name}: ${each.map(({ dtype, cosine }) => `${dtype} ${cosine.toFixed(5)}`).join(", ")}`,
        );
      } catch (error) {
        told.push(`transformers.js: ${error.message}`);
      }
      if (told.length > 0) failed.push(`${kind} ${name}: ${told.join("; ")}`);
      for (const line of told) log(`  ${kind} ${name} FAILS: ${line}`);
    }
  }
  for (const line of failed) log(line);
  if (failed.length > 0) process.exitCode = 1;
  return found;
};
